/** The job's own resolver says what node:fs says, and finds what an answer depends on. */
import assert from "node:assert/strict";
import { lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CALL, missingNear, QueryTable } from "../../dist/job/queries.js";
import { Model, nodeOf, someDirectory } from "../../dist/job/reference-model.js";

const still = () => 0;

function load(model, root, names, targets) {
  for (const name of names) {
    const { mode, size, ino } = lstatSync(join(root, name));
    model.add(`/${name}`, nodeOf({ mode, size, ino, ...(targets[name] ? { target: targets[name] } : {}) }));
  }
}

describe("Model.resolve", () => {
  const names = ["dir", "dir/inner", "dir/file", "dir/inner/deep"];
  const targets = {
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
  let root;
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
    test(follow ? "as statSync" : "as lstatSync", () => {
      for (const path of paths) {
        const found = model.resolve(`/${path}`, follow, still);
        let expected;
        try {
          expected = (follow ? statSync : lstatSync)(`${root}/${path}`).ino;
        } catch (error) {
          expected = -constants.errno[error.code];
        }
        // The root is not loaded: its number is not known.
        if (expected === lstatSync(root).ino) expected = -1;
        assert.equal(typeof found === "number" ? found : found.ino, expected, path.slice(0, 100));
      }
    });
  }
});

describe("QuestionBook", () => {
  function movingTree() {
    const model = new Model();
    const file = (ino) => nodeOf({ mode: 0o100644, size: 1, ino });
    model.add("/a/moves/file", file(5));
    model.add("/a/covered/file", file(6));
    model.add("/link", nodeOf({ mode: 0o120777, size: 7, ino: 7, target: "a/moves/../covered" }));
    const a = model.get("/a");
    const moves = model.get("/a/moves");
    a.places = new Map([
      ["moves", { thing: 0, byState: [moves, null] }],
      ["moved", { thing: 0, byState: [null, moves] }],
    ]);
    model.get("/a/covered").cover = { thing: 1, byState: [null, someDirectory(2)] };
    const things = [0, 1].map((number) => ({ number, kind: "rename", states: 2, path: "", other: "", values: [] }));
    return new QueryTable(model, things);
  }

  /** Things and the signs of the answers in each combination of states. */
  function casesOf(path) {
    const book = movingTree();
    book.add({ path, call: CALL.STAT });
    const packed = book.pack();
    const where = new Int32Array(packed.moving)[0];
    if (where < 0) return { things: [], there: [new Int32Array(packed.answers)[0] >= 0] };
    const cases = new Int32Array(packed.cases);
    const things = [...cases.subarray(where + 1, where + 1 + cases[where])];
    return { things, there: [...cases.subarray(where + 1 + things.length)].map((answer) => answer >= 0) };
  }

  test("an answer that depends on nothing that moves", () => {
    assert.deepEqual(casesOf("/a"), { things: [], there: [true] });
    assert.deepEqual(casesOf("/a/none"), { things: [], there: [false] });
  });
  test("an answer that depends on one thing", () => {
    assert.deepEqual(casesOf("/a/moves/file"), { things: [0], there: [true, false] });
    assert.deepEqual(casesOf("/a/moved/file"), { things: [0], there: [false, true] });
    assert.deepEqual(casesOf("/a/covered/file"), { things: [1], there: [true, false] });
    assert.deepEqual(casesOf("/a/covered"), { things: [1], there: [true, true] });
  });
  test("an answer that depends on two things, by way of a link", () => {
    assert.deepEqual(casesOf("/link/file"), { things: [0, 1], there: [true, false, false, false] });
  });
  test("paths for misses do not exist", () => {
    const book = movingTree();
    for (let turn = 0; turn < 12; turn++) {
      for (const [path, isDirectory] of [
        ["/a", true],
        ["/a/covered/file", false],
      ]) {
        const missing = missingNear(book, path, isDirectory, turn);
        assert.ok(missing.startsWith(path));
        assert.equal(book.exists(missing), false);
      }
    }
  });
});
