/** Two workers, each with a program that Emscripten has compiled, on one tree; what they print is what the program prints on Linux. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { onTree, type Run } from "../support/sides.js";
import { compileNative } from "../wasi/compiler.js";
import { NODE, onLinux } from "../wasi/native.js";
import { treeOf } from "../wasi/tree.js";
import type { Built } from "./build.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;
const work = mkdtempSync(join(tmpdir(), "threadfs-emcc-"));
const linux = join(work, "linux");
let native = "";

before(() => {
  native = compileNative("shared", work, []);
});
beforeEach(() => {
  rmSync(linux, { recursive: true, force: true });
  mkdirSync(linux);
});
after(() => rmSync(work, { recursive: true }));

/** Starts the program in both workers. */
async function begin(run: Run, kind: Built["kind"]): Promise<void> {
  const built: Built = { name: "shared", kind };
  await Promise.all([run(1, "begin", built), run(2, "begin", built)]);
}

type Step = readonly [thread: 1 | 2, ...args: string[]];

/** Calls of which each finds what the one before has left, in another worker. */
const SEEN: readonly Step[] = [
  [1, "write", "one", "text"],
  [2, "read", "one"],
  [1, "write", "one", "another text"],
  [2, "read", "one"],
  [2, "stat", "one"],
  [1, "truncate", "one", "7"],
  [2, "stat", "one"],
  [2, "create", "one", "mine"],
  [1, "mkdir", "d"],
  [2, "mkdir", "d"],
  [2, "write", "d/a", "a"],
  [1, "list", "d"],
  [1, "symlink", "d/a", "link"],
  [2, "stat", "link"],
  [2, "read", "link"],
  [1, "rename", "d/a", "d/b"],
  [2, "list", "d"],
  [2, "read", "d/b"],
  [2, "rmdir", "d"],
  [2, "append", "one", " more"],
  [1, "append", "one", " of it"],
  [2, "read", "one"],
  [1, "list", "."],
];

/** Calls of which a worker has found the names before. */
const GONE: readonly Step[] = [
  [1, "stat", "one"],
  [2, "unlink", "one"],
  [1, "stat", "one"],
  [1, "unlink", "one"],
  [1, "read", "one"],
  [2, "write", "one", "new"],
  [1, "create", "one", "mine"],
  [1, "read", "one"],
  [2, "unlink", "one"],
  [1, "create", "one", "mine"],
  [2, "read", "one"],
  [1, "stat", "link"],
  [2, "rename", "one", "link"],
  [1, "stat", "link"],
  [1, "stat", "d"],
  [2, "unlink", "d/b"],
  [2, "rmdir", "d"],
  [2, "write", "d", "a file"],
  [1, "stat", "d"],
  [1, "read", "d"],
];

async function assertSteps(run: Run, steps: readonly Step[]): Promise<void> {
  for (const [thread, ...args] of steps) {
    assert.equal(await run(thread, "call", ...args), onLinux(linux, native, args).stdout, args.join(" "));
  }
}

test("a program sees what another worker's has done, whatever it has found before", async () => {
  await onTree(SCENARIO, async (run, _dir, _end, vfs) => {
    vfs.fs.mkdirSync("/w");
    await begin(run, "fs");
    await assertSteps(run, [...SEEN, ...GONE]);
    assert.deepEqual(treeOf(vfs.fs, "/w"), treeOf(NODE, linux));
  });
});

test("a program with WASMFS sees new names, contents, sizes and lists of another worker's", async () => {
  await onTree(SCENARIO, async (run, _dir, _end, vfs) => {
    vfs.fs.mkdirSync("/w");
    await begin(run, "wasmfs");
    await assertSteps(run, SEEN);
    assert.deepEqual(treeOf(vfs.fs, "/w"), treeOf(NODE, linux));
  });
});

test("a program with WASMFS remembers names that it has found, until it removes them itself", async () => {
  await onTree(SCENARIO, async (run, _dir, _end, vfs) => {
    vfs.fs.mkdirSync("/w");
    await begin(run, "wasmfs");
    await run(1, "call", "write", "one", "text");
    await run(2, "call", "unlink", "one");
    assert.equal(await run(1, "call", "stat", "one"), "file of 0, 644\n");
    assert.equal(await run(1, "call", "read", "one"), "ENOENT\n");
    assert.equal(await run(1, "call", "write", "one", "text"), "ENOENT\n");
    assert.equal(await run(1, "call", "list", "."), "");
    // WASMFS forgets a name only if its removal succeeds.
    assert.equal(await run(1, "call", "unlink", "one"), "0\n");
    assert.equal(await run(1, "call", "stat", "one"), "ENOENT\n");
    assert.equal(await run(1, "call", "create", "one", "mine"), "4\n");
    assert.equal(vfs.fs.readFileSync("/w/one", "utf8"), "mine");
  });
});

test("lines that two programs append stay whole", async () => {
  await onTree(SCENARIO, async (run, _dir, _end, vfs) => {
    vfs.fs.mkdirSync("/w");
    await begin(run, "fs");
    await Promise.all([run(1, "appendAll", "log", "one", 300), run(2, "appendAll", "log", "two", 300)]);
    const wanted = ["one", "two"].flatMap((text) => Array.from({ length: 300 }, (_, n) => `${text} ${n}`));
    assert.deepEqual(vfs.fs.readFileSync("/w/log", "utf8").trimEnd().split("\n").sort(), wanted.sort());
  });
});
