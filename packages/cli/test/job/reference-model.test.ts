/** The job's reference model resolves paths as node:fs does, and finds the things that an answer depends on. */
import assert from "node:assert/strict";
import { lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { MovingEntry } from "../../dist/job/moving.js";
import { CALL, QueryReader } from "../../dist/job/packed-queries.js";
import { missingNear, QueryTable } from "../../dist/job/queries.js";
import { Model, type Node, nodeOf, someDirectory } from "../../dist/job/reference-model.js";
import { defined } from "../../dist/support/defined.js";
import { codeOf } from "../../dist/support/errors.js";

const still = () => 0;

const nodeAt = (model: Model, path: string): Node => defined(model.get(path), path);

function load(model: Model, root: string, names: string[], targets: Record<string, string>): void {
  for (const name of names) {
    const { mode, size, ino } = lstatSync(join(root, name));
    const target = targets[name];
    model.add(`/${name}`, nodeOf({ mode, size, ino, ...(target === undefined ? {} : { target }) }));
  }
}

describe("Model.resolve", () => {
  const names = ["dir", "dir/inner", "dir/file", "dir/inner/deep"];
  const targets: Record<string, string> = {
    toFile: "dir/file",
    toDir: "dir/",
    "dir/up": "../dir/inner/..",
    "dir/chain": "../toDir/inner",
    dangling: "nowhere",
    throughFile: "dir/file/x",
    slashFile: "dir/file/",
    loopA: "loopB",
    loopB: "loopA",
    self: "self/x",
  };
  let root: string;
  const model = new Model();

  before(() => {
    root = mkdtempSync(join(tmpdir(), "threadfs-model-"));
    mkdirSync(join(root, "dir/inner"), { recursive: true });
    writeFileSync(join(root, "dir/file"), "four");
    writeFileSync(join(root, "dir/inner/deep"), "sixsix");
    for (const [name, target] of Object.entries(targets)) symlinkSync(target, join(root, name));
    load(model, root, [...names, ...Object.keys(targets)], targets);
  });
  after(() => rmSync(root, { recursive: true }));

  const paths = [
    ...names,
    ...Object.keys(targets),
    ...Object.keys(targets).flatMap((name) => [`${name}/`, `${name}/.`, `${name}/..`, `${name}/inner`, `${name}/file`]),
    "dir//inner/../file",
    "dir/up/up/chain/deep",
    "dir/file/..",
    "missing/..",
    `${"x".repeat(256)}`,
    `dir/${"x/".repeat(2100)}`,
  ];
  for (const follow of [true, false]) {
    test(follow ? "resolves as statSync does" : "resolves as lstatSync does", () => {
      for (const path of paths) {
        const found = model.resolve(`/${path}`, follow, still);
        let expected: number;
        try {
          expected = (follow ? statSync : lstatSync)(`${root}/${path}`).ino;
        } catch (error) {
          expected = -constants.errno[codeOf(error) as keyof typeof constants.errno];
        }
        // The root is not loaded: its number is not known.
        if (expected === lstatSync(root).ino) expected = -1;
        assert.equal(typeof found === "number" ? found : found.ino, expected, path.slice(0, 100));
      }
    });
  }
});

describe("QueryTable", () => {
  function movingTree(): QueryTable {
    const model = new Model();
    const file = (ino: number) => nodeOf({ mode: 0o100644, size: 1, ino });
    model.add("/a/moves/file", file(5));
    model.add("/a/covered/file", file(6));
    model.add("/link", nodeOf({ mode: 0o120777, size: 7, ino: 7, target: "a/moves/../covered" }));
    const a = nodeAt(model, "/a");
    const moves = nodeAt(model, "/a/moves");
    a.places = new Map([
      ["moves", { thing: 0, byState: [moves, null] }],
      ["moved", { thing: 0, byState: [null, moves] }],
    ]);
    nodeAt(model, "/a/covered").cover = { thing: 1, byState: [null, someDirectory(2)] };
    const things = [0, 1].map(
      (number): MovingEntry => ({ number, kind: "rename", states: 2, path: "", other: "", values: [] }),
    );
    return new QueryTable(model, things);
  }

  /** The things that the answer depends on, and for each combination of their states whether the path exists. */
  function casesOf(path: string): { things: number[]; exists: boolean[] } {
    const table = movingTree();
    table.add({ path, call: CALL.STAT });
    const queries = new QueryReader(table.pack(), 1);
    const where = queries.caseOf(0);
    if (where < 0) return { things: [], exists: [queries.answer(0) >= 0] };
    const things = Array.from({ length: queries.things(where) }, (_, n) => queries.thing(where, n));
    const exists = Array.from({ length: 2 ** things.length }, (_, n) => queries.answerIn(where, n) >= 0);
    return { things, exists };
  }

  test("an answer on whose path nothing moves has one case", () => {
    assert.deepEqual(casesOf("/a"), { things: [], exists: [true] });
    assert.deepEqual(casesOf("/a/none"), { things: [], exists: [false] });
  });
  test("an answer that depends on one thing has a case for each of its states", () => {
    assert.deepEqual(casesOf("/a/moves/file"), { things: [0], exists: [true, false] });
    assert.deepEqual(casesOf("/a/moved/file"), { things: [0], exists: [false, true] });
    assert.deepEqual(casesOf("/a/covered/file"), { things: [1], exists: [true, false] });
    assert.deepEqual(casesOf("/a/covered"), { things: [1], exists: [true, true] });
  });
  test("an answer that depends on two things through a link has a case for each combination of states", () => {
    assert.deepEqual(casesOf("/link/file"), { things: [0, 1], exists: [true, false, false, false] });
  });
  test("paths made for misses do not exist", () => {
    const table = movingTree();
    const paths: [path: string, isDirectory: boolean][] = [
      ["/a", true],
      ["/a/covered/file", false],
    ];
    for (let turn = 0; turn < 12; turn++) {
      for (const [path, isDirectory] of paths) {
        const missing = defined(missingNear(table, path, isDirectory, turn), "a path that does not exist");
        assert.ok(missing.startsWith(path));
        assert.equal(table.exists(missing), false);
      }
    }
  });
});
