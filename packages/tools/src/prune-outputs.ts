/**
 * Deletes compiled files whose source is gone, after every build: tsc leaves them, and they would be packed with the rest.
 *
 *   node packages/tools/dist/prune-outputs.js
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const PACKAGES = fileURLToPath(new URL("../../", import.meta.url));

/** The library's declarations as they are published, in a folder of its dist/. */
const PUBLISHED_TYPES = "types";

/** Folders of compiled files, and the folders that their sources are in. */
const OUTPUTS = (path: string): { outputs: string; sources: string }[] => [
  // The library's project compiles abi/ and src/ together; the others compile src/ alone.
  { outputs: join(path, "dist"), sources: existsSync(join(path, "abi")) ? path : join(path, "src") },
  { outputs: join(path, "dist", PUBLISHED_TYPES), sources: path },
  { outputs: join(path, "build"), sources: join(path, "test") },
];

const COMPILED = /\.(?:js|js\.map|d\.ts)$/;

/**
 * Deletes the compiled files in `outputs` that have no source in `sources`; returns their paths. Without that folder the outputs are no
 * compiled files, as the pages of the API reference.
 */
export function prune(outputs: string, sources: string): string[] {
  if (!existsSync(outputs) || !existsSync(sources)) return [];
  const orphans = readdirSync(outputs, { recursive: true, encoding: "utf8" })
    .filter((file) => COMPILED.test(file) && !file.startsWith(join(PUBLISHED_TYPES, sep)))
    .filter((file) => {
      const stem = join(sources, file.replace(COMPILED, ""));
      return ![".ts", ".js"].some((ending) => existsSync(stem + ending));
    })
    .map((file) => join(outputs, file));
  for (const file of orphans) rmSync(file);
  return orphans;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const name of readdirSync(PACKAGES)) {
    for (const { outputs, sources } of OUTPUTS(join(PACKAGES, name))) {
      for (const file of prune(outputs, sources)) console.log(`deleted ${file}: its source is gone`);
    }
  }
}
