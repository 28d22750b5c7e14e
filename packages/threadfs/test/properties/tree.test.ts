/**
 * Random sequences of calls on one tree; node:fs over the kernel is the model. Every result, and the whole tree at the
 * end, must be equal, also with every walk of threadfs forced through ref mode.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attempt, type Outcome } from "../conformance/support/outcome.js";
import type { Target } from "../conformance/support/targets.js";
import { body, COMMANDS, type Command, FLOOR, path, plant, text } from "./commands.js";
import { assertSame, check, useSides } from "./support.js";

/** Calls that make files are more frequent than those that read: otherwise most trees stay empty. */
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

/** The outcomes of all commands with the floor as working directory. */
function play(target: Target, dir: string, list: readonly Command[]): Outcome[] {
  target.fs.mkdirSync(`${dir}/${FLOOR}`, { recursive: true });
  plant(target.fs, `${dir}/${FLOOR}`);
  return target.with({ cwd: `${dir}/${FLOOR}` }, (fs) =>
    list.map((one) => attempt(() => COMMANDS[one.kind](fs, one), dir)),
  );
}

const sides = useSides(import.meta.url, { play });

async function compare(list: readonly Command[]): Promise<void> {
  assertSame(await sides.inFresh("play", list), (n) => `command ${n}: ${JSON.stringify(list[n])}`);
}

test("random calls have the kernel's results", async (t) => {
  await check(t, fc.asyncProperty(commands, compare), 120);
});

test("random calls have the kernel's results when every walk is forced through ref mode", async (t) => {
  const { vfs } = sides;
  vfs.walkMode({ ref: true });
  try {
    await check(t, fc.asyncProperty(commands, compare), 60);
    assert.equal(vfs.counters().endedRef > 0, true, "walks did end in ref mode");
  } finally {
    vfs.walkMode({ ref: false });
  }
});
