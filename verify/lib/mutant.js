/**
 * Builds of the core with a fault planted, for the tests of the checks: a copy of core/ in a temporary directory, edited, and built
 * with the options of the shipping build.
 */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const here = fileURLToPath(new URL("../..", import.meta.url));
/** Longest time a build may take. */
const BUILD_MS = 120_000;

/**
 * @param {{ file: string, from: string, to: string }[]} edits `file` below core/; `from` must stand in it exactly once
 * @returns {Promise<Uint8Array>} the binary
 * @throws Error when an edit does not fit, or the compiler's
 */
export async function buildMutant(edits) {
  const dir = await mkdtemp(join(tmpdir(), "threadfs-core-"));
  try {
    await cp(join(here, "core"), join(dir, "core"), { recursive: true });
    await symlink(join(here, "node_modules"), join(dir, "node_modules"));
    for (const { file, from, to } of edits) {
      const path = join(dir, "core", file);
      const text = await readFile(path, "utf8");
      if (text.split(from).length !== 2) throw new Error(`core/${file} does not hold this once: ${from}`);
      await writeFile(
        path,
        text.replace(from, () => to),
      );
    }
    const asc = join(here, "node_modules/assemblyscript/bin/asc.js");
    const args = [asc, "core/sys.ts", "--config", "core/asconfig.json", "--target", "release"];
    await promisify(execFile)(process.execPath, args, { cwd: dir, timeout: BUILD_MS });
    return new Uint8Array(await readFile(join(dir, "dist/core.wasm")));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
