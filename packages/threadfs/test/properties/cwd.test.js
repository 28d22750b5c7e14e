/**
 * Random calls with relative paths from several working directories, which are themselves moved, replaced and removed
 * all the time. The kernel's process has only one: it goes there through /proc/self/fd, which also leads into a
 * directory that has no name any more.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { attempt, picture } from "../conformance/outcome.js";
import { SELF, UMASK } from "../conformance/targets.js";
import { COMMANDS, FLOOR, path, pathDown, plant, text } from "./commands.js";
import { check, useTargets } from "./support.js";

const targets = await useTargets();

const PLACES = ["a", "a/a", "a/b", "b/a"];

const shared = { place: fc.integer({ min: 0, max: PLACES.length - 1 }), mode: fc.constantFrom(0o755, 0o711), text };

/**
 * What can move a working directory, or a link, leads down only: otherwise the directories could climb step by step out
 * of the run's own, and meet real files.
 */
const moving = fc.record({
  ...shared,
  kind: fc.constantFrom("rename", "rename", "rename", "link", "symlink"),
  from: pathDown,
  to: pathDown,
  body: pathDown,
});

/** Without realpath: the C library's asks for the working directory's name first, and has none in a removed one. */
const other = fc.record({
  ...shared,
  kind: fc.constantFrom(
    ...["mkdir", "writeFile", "exclusive", "rmdir", "rmdir", "unlink", "chmod", "truncate"],
    ...["stat", "lstat", "exists", "readFile", "readdir", "readlink"],
  ),
  to: path,
});

/** Working directories go when their names do. */
const leaving = fc.record({
  ...shared,
  kind: fc.constantFrom("rmdir"),
  to: fc.constantFrom("../a", "../b", "../../b/a"),
});

const commands = fc.array(
  fc.oneof({ weight: 3, arbitrary: moving }, { weight: 6, arbitrary: other }, { weight: 1, arbitrary: leaving }),
  { minLength: 1, maxLength: 60, size: "max" },
);

/** The planted tree without what would keep its directories from being removed. */
function prepare({ fs }, dir) {
  const floor = `${dir}/${FLOOR}`;
  fs.mkdirSync(floor, { recursive: true });
  plant(fs, floor);
  fs.unlinkSync(`${floor}a/a/a`);
  return floor;
}

function playKernel(dir, list) {
  const { kernel } = targets;
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

function playOurs(dir, list) {
  const { vfs } = targets.ours;
  const floor = prepare(targets.ours, dir);
  const contexts = PLACES.map((place) => vfs.context({ ...SELF, umask: UMASK, cwd: floor + place, root: "/" }));
  try {
    return list.map((one) => attempt(() => COMMANDS[one.kind](contexts[one.place].fs, one), dir));
  } finally {
    for (const context of contexts) context.close();
  }
}

test("random calls from working directories that move answer as the kernel does", (t) => {
  if (!existsSync("/proc/self/fd")) return t.skip("the system has no /proc/self/fd");
  if (!targets.ours.vfs) return t.skip("the second target has no contexts");
  const property = fc.property(commands, (list) => {
    const dirs = targets.fresh();
    try {
      const expected = playKernel(dirs[0], list);
      const got = playOurs(dirs[1], list);
      for (const [n, answer] of expected.entries()) {
        assert.equal(answer.thrown, undefined);
        assert.deepEqual(got[n], answer, `command ${n}: ${JSON.stringify(list[n])}`);
      }
      assert.deepEqual(picture(targets.ours.fs, dirs[1]), picture(targets.kernel.fs, dirs[0]), "the tree at the end");
    } finally {
      targets.remove(dirs);
    }
  });
  check(t, property, 80);
});
