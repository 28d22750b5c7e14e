/**
 * openat2(2): what each flag of `resolve` refuses, with which errno, and where a walk ends otherwise, as the kernel that runs has it. A table of paths, each by every
 * flag and pair of flags, from two directories; in rcu mode and in ref mode. The kernel is asked through Python, which makes the system call itself.
 *
 * Not asked: magic links, which the tree has none of, and RESOLVE_CACHED where a link is on the way: how much stays in rcu mode is not the same in both
 * (packages/threadfs/test/unit/walk/resolve/openat2.test.ts has it).
 */
import assert from "node:assert/strict";
import { constants } from "node:fs";
import { test } from "node:test";
import {
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../../dist/abi/abi.js";
import { OPEN_FLAGS } from "../../../dist/src/index.js";
import { runOnKernel, whyNoKernel } from "./kernel.js";
import { runOnTree, type Step } from "./steps.js";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, O_APPEND } = constants;
const { O_PATH, O_TMPFILE } = OPEN_FLAGS;
const O_CLOEXEC = 0o2000000;
const PATH_DIRECTORY = O_PATH | O_DIRECTORY;

/** A directory that holds a file "here" with its name, so that one can tell where a walk has ended. */
const directory = (path: string): Step[] => [
  ["mkdir", null, path],
  ["put_file", `${path}/here`, path],
];
const link = (path: string, body: string): Step => ["symlink", body, null, path];

/**
 * Descriptor 0 is of "top", below which the walks start, 1 of "top/in", 2 of the mounted file system at "top/vol". Names of absolute bodies are nowhere in the
 * machine's root.
 */
const TREE: Step[] = [
  ["put_file", "here", "."],
  ...directory("out"),
  ["put_file", "out/secret", "not for you"],
  ...directory("top"),
  ...directory("top/in"),
  ...directory("top/in/deep"),
  ["put_file", "top/in/file", "a"],
  ...directory("top/vol"),
  ["mount", "top/vol", 1 << 20, 100],
  ["put_file", "top/vol/here", "vol"],
  ...directory("top/vol/sub"),
  link("top/vol/back", "../in"),
  link("top/vol/over", "../vol/sub"),
  link("top/vol/whole", "/vol-is-nowhere"),
  link("top/to-in", "in"),
  link("top/to-file", "in/file"),
  link("top/to-slash", "in/"),
  link("top/to-vol", "vol"),
  link("top/to-sub", "vol/sub"),
  link("top/up-and-in", "../top/in"),
  link("top/up", ".."),
  link("top/to-secret", "../out/secret"),
  link("top/far-up", "../../../../../../../../../../../../in/file"),
  link("top/absolute", "/in/file-is-nowhere"),
  link("top/absolute-up", "/../../in/../in"),
  link("top/new", "in/made"),
  link("top/chain", "to-to-in"),
  link("top/to-to-in", "to-in"),
  link("top/loop", "loop"),
  link("top/in/sideways", "../in/deep/../deep"),
  link("top/in/around", "../to-in"),
  link("top/in/deep/self", "../../in/deep"),
  ["open", null, "top", PATH_DIRECTORY, 0],
  ["open", null, "top/in", O_RDONLY | O_DIRECTORY, 0],
  ["open", null, "top/vol", PATH_DIRECTORY, 0],
];

const PATHS = [
  ...[".", "..", "in", "in/", "in/file", "in/file/", "in/file/x", "missing", "in/missing", "in/.", "in/..", "in/../in"],
  ...["../top", "../top/in", "in/../../top", "in/deep/../../..", "in/deep/../../../out/secret", "./../out/secret"],
  ...["/", "/in", "/in/file", "/..", "/in-is-nowhere", "//in//deep", "/../../in/deep", ""],
  ...["vol", "vol/", "vol/.", "vol/..", "vol/sub", "vol/sub/..", "vol/sub/../..", "vol/back", "vol/over", "vol/whole"],
  ...["vol/../in", "vol/../vol", "vol/sub/../../vol/sub"],
  ...["to-in", "to-in/", "to-in/deep", "to-file", "to-file/", "to-slash", "to-vol", "to-sub", "to-vol/.."],
  ...[
    "up-and-in",
    "up",
    "up/out",
    "up/top/in",
    "to-secret",
    "far-up",
    "absolute",
    "absolute-up",
    "absolute/x",
    "chain",
  ],
  ...["chain/deep", "loop", "loop/x", "new", "in/sideways", "in/around", "in/around/deep", "in/deep/self/self"],
  ...["deep", "deep/..", "deep/../..", "deep/../file", "sideways", "around", "around/.."],
  ...["sub", "sub/..", "sub/../..", "back", "over", "whole"],
];

const FLAGS = [
  0,
  RESOLVE_NO_XDEV,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_BENEATH | RESOLVE_NO_XDEV,
  RESOLVE_IN_ROOT | RESOLVE_NO_XDEV,
  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
  RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
  RESOLVE_BENEATH | RESOLVE_IN_ROOT,
];

const HOWS = [O_PATH, O_PATH | O_NOFOLLOW, O_RDONLY, O_RDONLY | O_NOFOLLOW, PATH_DIRECTORY];

const opens = (dir: number | null): Step[] =>
  PATHS.flatMap((path) =>
    FLAGS.flatMap((resolve) => HOWS.map((flags): Step => ["opened", dir, path, flags, 0, resolve])),
  );

/** Flags and modes that mean something, and those that mean nothing. */
const CHECKS: Step[] = [
  ...[0, O_WRONLY, O_RDWR, 3, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC, 4, 0o10, 0o40, 2 ** 30],
  ...[O_PATH | O_RDWR, O_PATH | O_CREAT, O_PATH | O_TRUNC, O_PATH | O_CLOEXEC, O_PATH | O_EXCL],
  ...[O_CREAT | O_DIRECTORY, O_TMPFILE, O_TMPFILE | O_RDWR, O_TMPFILE & ~O_DIRECTORY, O_TMPFILE | O_CREAT | O_RDWR],
  ...[O_CREAT | O_RDWR, O_CREAT | O_EXCL | O_WRONLY, O_CREAT],
].flatMap((flags): Step[] =>
  ["file", "deep", "made"].flatMap((path) =>
    [0, 0o644, 0o7777, 0o10000, 2 ** 31].flatMap((mode) =>
      // A name that is nowhere is a result in rcu mode here, and in the kernel, which has not looked for it yet, EAGAIN.
      [0, RESOLVE_BENEATH, ...(path === "made" ? [] : [RESOLVE_CACHED])].flatMap((resolve): Step[] => [
        ["opened", 1, path, flags, mode, resolve],
        ["unlink", 1, "made"],
      ]),
    ),
  ),
);

/** Names that an open makes, through links and "..", or is refused. */
const MAKES: Step[] = [
  "new",
  "in/made",
  "to-in/made",
  "in/../made",
  "../made",
  "/made",
  "up/made",
  "absolute",
  "vol/made",
  "loop",
].flatMap((path) =>
  FLAGS.flatMap((resolve): Step[] =>
    [O_CREAT | O_RDWR, O_CREAT | O_EXCL | O_RDWR, O_CREAT | O_NOFOLLOW | O_WRONLY].flatMap((flags): Step[] => [
      // Without a flag, an absolute path is of the machine.
      ...(path === "/made" && !(resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
        ? []
        : [["opened", 0, path, flags, 0o600, resolve] as Step]),
      ["tree"],
      ["unlink", 0, "in/made"],
      ["unlink", 0, "made"],
      ["unlink", 0, "vol/made"],
      ["unlink", 0, "in/file-is-nowhere"],
      ["unlink", null, "made"],
    ]),
  ),
);

const PROGRAMS: Record<string, Step[]> = {
  "from the top": [...TREE, ...opens(0)],
  "from a directory below it": [...TREE, ...opens(1)],
  "from a mounted file system": [...TREE, ...opens(2)],
  "from the working directory": [...TREE, ["chdir", "top"], ...opens(null)],
  "flags and modes": [...TREE, ...CHECKS],
  "names that are made": [...TREE, ...MAKES],
  "from what is no directory": [...TREE, ["open", null, "top/in/file", O_RDONLY, 0], ...opens(3)],
  "from no descriptor": [...TREE, ...opens(9)],
};

const isCached = (step: Step): boolean => (Number(step.at(-1)) & RESOLVE_CACHED) !== 0;

for (const [name, program] of Object.entries(PROGRAMS)) {
  // Fails for each flag whose check is taken out of packages/threadfs/core/vfs/walk/.
  test(`row 113, row 114: openat2 ${name}: errors and ends are the kernel's, in rcu mode and in ref mode`, async (t) => {
    const reason = whyNoKernel();
    if (reason !== undefined) {
      t.skip(reason);
      return;
    }
    const [expected = []] = runOnKernel([program]);
    for (const ref of [false, true]) {
      const got = await runOnTree(program, "sync", { ref, apart: true });
      for (const [k, step] of program.entries()) {
        // A walk in ref mode has left what RESOLVE_CACHED asks for.
        if (ref && got[k] === "EAGAIN" && isCached(step)) continue;
        assert.deepEqual(got[k], expected[k], `ref ${ref}, step ${k}: ${JSON.stringify(step)}`);
      }
    }
  });
}
