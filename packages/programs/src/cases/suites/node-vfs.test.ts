/**
 * Node's own tests of node:vfs, from a copy of nodejs/node of the version that packages/oracle has, or one near it: no package has them.
 *
 *   NODE_SOURCE=DIR npm run test:node-vfs
 *
 * Each file runs in a process of that Node, first as it is, on `MemoryProvider`, and then with trees in its place (node-vfs/preload.ts). A file that passes as it is must pass on
 * trees too, but for what {@link DIFFERENT} names. What passes is counted at the end. The copy is not changed.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { installOracle } from "../../../../tools/dist/oracle.js";
import { COUNT_FILE } from "./node-vfs/count.js";

/** What these tests ask of `MemoryProvider` and a tree does otherwise, by what the process prints that fails for it: docs/node-vfs.md has the reasons. */
const DIFFERENT: readonly (readonly [printed: RegExp, name: string])[] = [
  [/EINVAL: invalid argument, ftruncate/, "truncating a file that is open for reading"],
  [/EPERM: operation not permitted, link/, "a hard link to a directory"],
  [/"time" argument must be/, 'utimes with "now"'],
  [/Expected exactly 1, actual 2/, "a file that is created and written has two events"],
  [/setReadOnly is not a function/, "setReadOnly()"],
  [/ENOENT: no such file or directory, watch/, "a watcher of what does not exist yet"],
  // The path of a listing that goes round and round.
  [/(\/[^/']+)\1{30}/, "a recursive listing of a directory with a link to itself"],
];

const SOURCE = process.env.NODE_SOURCE;
const HANG_MS = 60_000;
const PRELOAD = new URL("./node-vfs/preload.js", import.meta.url).href;
const SKIPPED = /^1\.\.0 # Skipped/m;

const folder = SOURCE === undefined ? "" : join(SOURCE, "test", "parallel");
if (!existsSync(folder))
  throw new Error("NODE_SOURCE must name a copy of nodejs/node, with test/common and test/parallel");
const files = readdirSync(folder).filter((name) => /^test-vfs-.*\.m?js$/.test(name));
const node = installOracle();
const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
const work = mkdtempSync(join(tmpdir(), "threadfs-node-vfs-"));
after(() => rmSync(work, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly printed: string;
}

/** Runs a file with the options that it asks for. */
function run(file: string, variables: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const path = join(folder, file);
  const flags = /^\/\/ Flags: (.*)$/m.exec(readFileSync(path, "utf8"))?.[1]?.split(" ") ?? [];
  // Their directory for files is theirs alone, and outside of the copy.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: "1", NODE_TEST_DIR: work, ...variables };
  return new Promise((resolve, reject) => {
    const child = spawn(node, [...new Set(["--experimental-vfs", ...flags]), path], {
      cwd: work,
      env,
      timeout: HANG_MS,
    });
    let printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (printed += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, printed }));
  });
}

/** The same on trees; `made` is how many the file has asked for. */
async function runOnTrees(file: string): Promise<Ended & { made: number }> {
  const count = join(work, "count");
  rmSync(count, { force: true });
  const ended = await run(file, { NODE_OPTIONS: `--import=${PRELOAD}`, [COUNT_FILE]: count });
  return { ...ended, made: existsSync(count) ? Number(readFileSync(count, "utf8")) : 0 };
}

const counts = { asIs: 0, without: 0, onTrees: 0 };
const different: string[] = [];

for (const file of files) {
  test(file, async (t) => {
    const asIs = await run(file);
    if (asIs.code !== 0 || SKIPPED.test(asIs.printed)) return t.skip("it does not pass as it is, or leaves itself out");
    counts.asIs++;
    const { made, code, printed } = await runOnTrees(file);
    if (made === 0 && code === 0) counts.without++;
    else if (code === 0) counts.onTrees++;
    else {
      const [, reason] = DIFFERENT.find(([pattern]) => pattern.test(printed)) ?? [];
      assert.ok(reason !== undefined, `exit code ${code}\n${printed}`);
      different.push(`${file} (${reason})`);
    }
  });
}

test("trees were used, and what passes is counted", () => {
  const { asIs, without, onTrees } = counts;
  console.log(`${files.length} files, of which ${asIs} pass as they are in Node ${version}`);
  console.log(`${asIs - without} of these make a provider of memory; with a tree ${onTrees} pass`);
  if (different.length > 0) console.log(`not ${different.join(", ")}`);
  assert.ok(onTrees > 0, `no file of ${folder} has used a tree`);
});
