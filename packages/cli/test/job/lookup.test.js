/** The job's checker notices each kind of wrong answer and accepts each right one. The file system here is scripted. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LookupChecker } from "../../dist/job/lookup.js";
import { MovingState } from "../../dist/job/moving.js";
import { CALL, QueryTable } from "../../dist/job/queries.js";
import { Model, nodeOf, someDirectory } from "../../dist/job/reference-model.js";

const DEV = 3;
/** An inode number of more than 32 bits. */
const LARGE = 5 * 2 ** 32 + 3_000_000_000;
const ROOT = { mode: 0o40755, size: 0, ino: 1, dev: DEV };
const stats = (fields) => ({ mode: 0o100644, size: 9, ino: 5, dev: DEV, ...fields });

function failure(code) {
  return () => {
    throw Object.assign(new Error(code), { code });
  };
}

/**
 * Asks one question about a tree with things that move, over and over, and answers it by `answer`.
 * @param versions of the moving thing before the lookup and after it
 * @param published the inode number it shows
 */
function ask({ path, call = CALL.STAT, versions = [0, 0], published = 0, answer }) {
  const model = new Model();
  for (const name of ["/file", "/between", "/dir/file", "/covered/file"]) {
    model.add(name, nodeOf({ mode: 0o100644, size: 9, ino: 5 }));
  }
  const dir = model.get("/dir");
  model.root.places = new Map([
    ["dir", { thing: 0, byState: [dir, null] }],
    ["away", { thing: 0, byState: [null, dir] }],
    ["made", { thing: 0, byState: [null, nodeOf({ mode: 0o100644, size: 9, ino: -2 })] }],
  ]);
  model.get("/covered").cover = { thing: 0, byState: [null, someDirectory(2)] };
  const book = new QueryTable(model, [{ number: 0, kind: "rename", states: 2, path: "", other: "", values: [] }]);
  book.add({ path, call });
  book.add({ path: "/between", call: CALL.STAT });

  const memory = MovingState.memory(1);
  const words = new Int32Array(memory);
  words[1] = versions[0];
  words[2] = published | 0;
  words[3] = Math.floor(published / 2 ** 32);
  const stop = new Int32Array(1);
  const reply = (asked) => {
    if (asked === "/") return ROOT;
    stop[0] = 1;
    // The two questions take turns; this one puts the version back.
    words[1] = versions[asked === "/between" ? 0 : 1];
    return asked === "/between" ? stats() : answer();
  };
  const fs = { statSync: reply, lstatSync: reply, existsSync: reply, accessSync: reply };
  const report = new LookupChecker(fs, book.pack(), memory).run(stop, 60, true, 1);
  assert.ok(report.examples.every((example) => example.path === path));
  return report;
}

const right = (asked) => assert.equal(ask(asked).wrong, 0);
function wrong(asked) {
  const { wrong, lookups, examples } = ask(asked);
  assert.equal(wrong, lookups / 2);
  return examples[0];
}

const nothing = () => undefined;
const there = () => stats();

describe("a path on which nothing moves", () => {
  test("the right answer", () => {
    right({ path: "/file", answer: there });
    right({ path: "/file", call: CALL.EXISTS, answer: () => true });
    right({ path: "/none", answer: nothing });
    right({ path: "/none", call: CALL.EXISTS, answer: () => false });
    right({ path: "/none", call: CALL.ACCESS, answer: failure("ENOENT") });
    right({ path: "/file/x", call: CALL.ACCESS, answer: failure("ENOTDIR") });
  });
  for (const fields of [{ size: 8 }, { mode: 0o100600 }, { mode: 0o40644 }, { ino: 6 }, { dev: 4 }]) {
    test(`not ${JSON.stringify(fields)}`, () => {
      const example = wrong({ path: "/file", answer: () => stats(fields) });
      assert.match(example.allowed[0], /^file mode 0644 size 9 ino 5 dev 3$/);
      assert.notEqual(example.answered, example.allowed[0]);
    });
  }
  test("not there, or there after all, or another error", () => {
    assert.equal(wrong({ path: "/file", answer: nothing }).answered, "nothing is there");
    wrong({ path: "/file", call: CALL.EXISTS, answer: () => false });
    wrong({ path: "/file", answer: failure("ELOOP") });
    assert.deepEqual(wrong({ path: "/none", answer: there }).allowed, ["ENOENT"]);
    wrong({ path: "/none", call: CALL.ACCESS, answer: failure("ENOTDIR") });
    wrong({ path: "/file/x", call: CALL.ACCESS, answer: failure("ENOENT") });
    assert.equal(wrong({ path: "/none", answer: failure("EACCES") }).answered, "EACCES");
  });
  test("an error that is not a file system's is not an answer", () => {
    assert.throws(() => ask({ path: "/file", answer: failure("ERR_INVALID_ARG_TYPE") }), /ERR_INVALID_ARG_TYPE/);
  });
});

describe("a path on which something moves", () => {
  test("that stands still: the answer of its state only", () => {
    right({ path: "/dir/file", versions: [4, 4], answer: there });
    wrong({ path: "/dir/file", versions: [4, 4], answer: nothing });
    right({ path: "/dir/file", versions: [2, 2], answer: nothing });
    wrong({ path: "/dir/file", versions: [2, 2], answer: there });
    right({ path: "/away/file", versions: [2, 2], answer: there });
    wrong({ path: "/away/file", versions: [0, 0], answer: there });
  });
  test("that is on its way, or came there: the answers of both states", () => {
    for (const versions of [
      [1, 1],
      [0, 1],
      [0, 2],
      [3, 3],
      [1, 7],
    ]) {
      right({ path: "/dir/file", versions, answer: there });
      right({ path: "/dir/file", versions, answer: nothing });
      wrong({ path: "/dir/file", versions, answer: failure("EACCES") });
      wrong({ path: "/dir/file", versions, call: CALL.ACCESS, answer: failure("ENOTDIR") });
      const example = wrong({ path: "/dir/file", versions, answer: () => stats({ ino: 77 }) });
      assert.deepEqual(example.things, [{ thing: 0, before: versions[0], after: versions[1] }]);
      assert.equal(example.allowed.length, 2);
    }
  });
  test("that came to rest during the lookup: the answers of both states", () => {
    right({ path: "/away/file", versions: [1, 2], answer: there });
    right({ path: "/away/file", versions: [1, 2], answer: nothing });
  });
  test("a mount: another device, and nothing of what it covers", () => {
    const root = () => stats({ mode: 0o40777, ino: 1, dev: 9 });
    right({ path: "/covered", versions: [2, 2], answer: root });
    wrong({ path: "/covered", versions: [0, 0], answer: root });
    wrong({ path: "/covered", versions: [2, 2], answer: () => stats({ mode: 0o40777, ino: 1 }) });
    wrong({ path: "/covered/file", versions: [2, 2], answer: there });
    right({ path: "/covered/file", versions: [2, 2], answer: nothing });
  });
  test("a new file is the one that was published", () => {
    right({ path: "/made", versions: [2, 2], published: LARGE, answer: () => stats({ ino: LARGE }) });
    wrong({ path: "/made", versions: [2, 2], published: LARGE, answer: () => stats({ ino: LARGE + 1 }) });
    right({ path: "/made", versions: [1, 3], published: LARGE, answer: () => stats({ ino: LARGE + 1 }) });
  });
});
