import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** The code that is tested. It knows nothing of a tree. */
export async function saveConfig(path, config) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify(config));
}

export async function loadConfig(path) {
  return JSON.parse(await readFile(path, "utf8"));
}
