/**
 * Random calls with relative paths from several working directories, which other calls move, replace and remove. The
 * process has only one working directory on the kernel: it changes to each through /proc/self/fd, which also leads into
 * a directory that has no name any more.
 */
import { existsSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { defined } from "../../../cli/dist/support/defined.js";
import type { Vfs } from "../../dist/src/index.js";
import { attempt, type Outcome } from "../conformance/support/outcome.js";
import { SELF, type Target, UMASK } from "../conformance/support/targets.js";
import { COMMANDS, type Command, FLOOR, path, pathDown, plant, text } from "./commands.js";
import { assertSame, check, useSides } from "./support.js";

const PLACES = ["a", "a/a", "a/b", "b/a"];

const shared = { place: fc.integer({ min: 0, max: PLACES.length - 1 }), mode: fc.constantFrom(0o755, 0o711), text };

/**
 * Paths that can move a working directory, or a link, lead down only: otherwise the directories could climb step by step
 * out of the run's own, to real files.
 */
const moving = fc.record({
  ...shared,
  kind: fc.constantFrom("rename", "rename", "rename", "link", "symlink"),
  from: pathDown,
  to: pathDown,
  body: pathDown,
});

/** Operands of the calls that take one path. */
const none = { from: fc.constant(""), body: fc.constant("") };

/** Without realpath: the C library's needs the name of the working directory, and a removed one has none. */
const other = fc.record({
  ...shared,
  ...none,
  kind: fc.constantFrom(
    ...(["mkdir", "writeFile", "exclusive", "rmdir", "rmdir", "unlink", "chmod", "truncate"] as const),
    ...(["stat", "lstat", "exists", "readFile", "readdir", "readlink"] as const),
  ),
  to: path,
});

/** Removes working directories. */
const leaving = fc.record({
  ...shared,
  ...none,
  kind: fc.constant("rmdir" as const),
  to: fc.constantFrom("../a", "../b", "../../b/a"),
});

const commands = fc.array(
  fc.oneof({ weight: 3, arbitrary: moving }, { weight: 6, arbitrary: other }, { weight: 1, arbitrary: leaving }),
  { minLength: 1, maxLength: 60, size: "max" },
);

interface PlacedCommand extends Command {
  /** Index in PLACES: the working directory of the call. */
  readonly place: number;
}

/** The planted tree without the file that would keep its directories from being removed. */
function prepare({ fs }: Target, dir: string): string {
  const floor = `${dir}/${FLOOR}`;
  fs.mkdirSync(floor, { recursive: true });
  plant(fs, floor);
  fs.unlinkSync(`${floor}a/a/a`);
  return floor;
}

function playKernel(kernel: Target, dir: string, list: readonly PlacedCommand[]): Outcome[] {
  const floor = prepare(kernel, dir);
  const fds = PLACES.map((place) => kernel.fs.openSync(floor + place));
  try {
    return list.map((one) =>
      kernel.with({ cwd: `/proc/self/fd/${fds[one.place]}` }, (fs) => attempt(() => COMMANDS[one.kind](fs, one), dir)),
    );
  } finally {
    for (const fd of fds) kernel.fs.closeSync(fd);
  }
}

function playOurs(ours: Target, vfs: Vfs, dir: string, list: readonly PlacedCommand[]): Outcome[] {
  const floor = prepare(ours, dir);
  const contexts = PLACES.map((place) => vfs.context({ ...SELF, umask: UMASK, cwd: floor + place, root: "/" }));
  try {
    return list.map((one) => {
      const { fs } = defined(contexts[one.place], "context of the place");
      return attempt(() => COMMANDS[one.kind](fs, one), dir);
    });
  } finally {
    for (const context of contexts) context.close();
  }
}

const play = (target: Target, dir: string, list: readonly PlacedCommand[]): Outcome[] =>
  target.vfs ? playOurs(target, target.vfs, dir, list) : playKernel(target, dir, list);

const sides = useSides(import.meta.url, { play });

test("random calls from moving working directories have the kernel's results", async (t) => {
  if (!existsSync("/proc/self/fd")) return t.skip("the system has no /proc/self/fd");
  const property = fc.asyncProperty(commands, async (list) => {
    assertSame(await sides.inFresh("play", list), (n) => `command ${n}: ${JSON.stringify(list[n])}`);
  });
  await check(t, property, 80);
});
