/**
 * Random sequences of calls on one tree: node:fs over the kernel is the model. Every answer, and the whole tree at the
 * end, must be equal; and the same sequence on ours with every walk forced through ref mode must answer the same.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attempt, picture } from "../conformance/outcome.js";
import { body, COMMANDS, FLOOR, path, plant, text } from "./commands.js";
import { check, useTargets } from "./support.js";

const targets = await useTargets();

/** Calls that build come more often than those that ask: otherwise most runs are about empty trees. */
const kind = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("mkdir", "writeFile", "symlink", "rename", "rename", "link") },
  { weight: 1, arbitrary: fc.constantFrom("unlink", "rmdir", "chmod", "truncate", "appendFile", "exclusive") },
  { weight: 2, arbitrary: fc.constantFrom("stat", "lstat", "exists", "readFile", "readdir", "readlink", "realpath") },
);

const command = fc.record({
  kind,
  from: path,
  to: path,
  body,
  // An ordinary user must be able to look at the whole tree afterwards.
  mode: fc.constantFrom(0o755, 0o700, 0o777, 0o711),
  text,
});

const commands = fc.array(command, { minLength: 1, maxLength: 60, size: "max" });

/** The answers of all commands with the floor as working directory, told as plain data. */
function play(target, dir, list) {
  target.fs.mkdirSync(`${dir}/${FLOOR}`, { recursive: true });
  plant(target.fs, `${dir}/${FLOOR}`);
  return target.with({ cwd: `${dir}/${FLOOR}` }, (fs) =>
    list.map((one) => [one.kind, attempt(() => COMMANDS[one.kind](fs, one), dir)]),
  );
}

function compare(list) {
  const dirs = targets.fresh();
  try {
    const [expected, got] = targets.both().map((target, n) => play(target, dirs[n], list));
    for (const [n, answer] of expected.entries()) {
      assert.equal(answer[1].thrown, undefined);
      assert.deepEqual(got[n], answer, `command ${n}: ${JSON.stringify(list[n])}`);
    }
    assert.deepEqual(picture(targets.ours.fs, dirs[1]), picture(targets.kernel.fs, dirs[0]), "the tree at the end");
  } finally {
    targets.remove(dirs);
  }
}

test("random calls answer as the kernel does", (t) => {
  check(t, fc.property(commands, compare), 120);
});

test("random calls answer as the kernel does when every walk is forced through ref mode", (t) => {
  const { vfs } = targets.ours;
  if (!vfs) return t.skip("there is no walk to force");
  vfs.walkMode({ ref: true });
  try {
    check(t, fc.property(commands, compare), 60);
    assert.equal(vfs.counters().endedRef > 0, true, "walks did end in ref mode");
  } finally {
    vfs.walkMode({ ref: false });
  }
});
