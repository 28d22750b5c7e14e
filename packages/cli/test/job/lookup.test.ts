/** The job's checker finds each kind of wrong answer and accepts each right one. The file system here is a stub. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FsSync } from "threadfs";
import { LookupChecker, type LookupReport, type WrongAnswer } from "../../dist/job/lookup.js";
import { MovingState } from "../../dist/job/moving.js";
import { CALL } from "../../dist/job/packed-queries.js";
import { QueryTable } from "../../dist/job/queries.js";
import { Model, type Node, nodeOf, someDirectory } from "../../dist/job/reference-model.js";
import { defined } from "../../dist/support/defined.js";

const DEV = 3;
/** An inode number of more than 32 bits. */
const LARGE = 5 * 2 ** 32 + 3_000_000_000;
const ROOT = { mode: 0o40755, size: 0, ino: 1, dev: DEV };

interface Attributes {
  mode: number;
  size: number;
  ino: number;
  dev: number;
}

const stats = (fields: Partial<Attributes> = {}): Attributes => ({
  mode: 0o100644,
  size: 9,
  ino: 5,
  dev: DEV,
  ...fields,
});

function failure(code: string): () => never {
  return () => {
    throw Object.assign(new Error(code), { code });
  };
}

interface Asked {
  path: string;
  call?: number;
  /** Versions of the moving thing before the lookup and after it. */
  versions?: [before: number, after: number];
  /** The inode number that the mutator has published of the thing. */
  published?: number;
  /** What the file system returns. */
  answer: () => unknown;
}

/** Looks one path up in a tree with things that move, over and over, in turn with a path on which nothing moves. */
function ask({ path, call = CALL.STAT, versions = [0, 0], published = 0, answer }: Asked): LookupReport {
  const model = new Model();
  for (const name of ["/file", "/between", "/dir/file", "/covered/file"]) {
    model.add(name, nodeOf({ mode: 0o100644, size: 9, ino: 5 }));
  }
  const dir = nodeAt(model, "/dir");
  model.root.places = new Map([
    ["dir", { thing: 0, byState: [dir, null] }],
    ["away", { thing: 0, byState: [null, dir] }],
    ["made", { thing: 0, byState: [null, nodeOf({ mode: 0o100644, size: 9, ino: -2 })] }],
  ]);
  nodeAt(model, "/covered").cover = { thing: 0, byState: [null, someDirectory(2)] };
  const table = new QueryTable(model, [{ number: 0, kind: "rename", states: 2, path: "", other: "", values: [] }]);
  table.add({ path, call });
  table.add({ path: "/between", call: CALL.STAT });

  const memory = MovingState.memory(1);
  const words = new Int32Array(memory);
  words[1] = versions[0];
  words[2] = published | 0;
  words[3] = Math.floor(published / 2 ** 32);
  const stop = new Int32Array(1);
  const reply = (asked: string): unknown => {
    if (asked === "/") return ROOT;
    stop[0] = 1;
    // The two queries take turns; that of "/between" sets the version back.
    const [before, after] = versions;
    words[1] = asked === "/between" ? before : after;
    return asked === "/between" ? stats() : answer();
  };
  // A stub: the checker calls nothing else.
  const fs = { statSync: reply, lstatSync: reply, existsSync: reply, accessSync: reply } as unknown as FsSync;
  const report = new LookupChecker(fs, table.pack(), memory).run(stop, 60, true, 1);
  assert.ok(report.examples.every((example) => example.path === path));
  return report;
}

const nodeAt = (model: Model, path: string): Node => defined(model.get(path), path);

const right = (asked: Asked) => assert.equal(ask(asked).wrong, 0);
function wrong(asked: Asked): WrongAnswer {
  const { wrong, lookups, examples } = ask(asked);
  assert.equal(wrong, lookups / 2);
  return defined(examples[0], "an example of a wrong answer");
}

const nothing = () => undefined;
const there = () => stats();

describe("a path on which nothing moves", () => {
  test("the right answer is accepted", () => {
    right({ path: "/file", answer: there });
    right({ path: "/file", call: CALL.EXISTS, answer: () => true });
    right({ path: "/none", answer: nothing });
    right({ path: "/none", call: CALL.EXISTS, answer: () => false });
    right({ path: "/none", call: CALL.ACCESS, answer: failure("ENOENT") });
    right({ path: "/file/x", call: CALL.ACCESS, answer: failure("ENOTDIR") });
  });
  for (const fields of [{ size: 8 }, { mode: 0o100600 }, { mode: 0o40644 }, { ino: 6 }, { dev: 4 }]) {
    test(`an answer with ${JSON.stringify(fields)} is wrong`, () => {
      const example = wrong({ path: "/file", answer: () => stats(fields) });
      assert.match(example.allowed[0] ?? "", /^file mode 0644 size 9 ino 5 dev 3$/);
      assert.notEqual(example.answered, example.allowed[0]);
    });
  }
  test("an absent file, a file where none is, and another error are wrong", () => {
    assert.equal(wrong({ path: "/file", answer: nothing }).answered, "nothing is there");
    wrong({ path: "/file", call: CALL.EXISTS, answer: () => false });
    wrong({ path: "/file", answer: failure("ELOOP") });
    assert.deepEqual(wrong({ path: "/none", answer: there }).allowed, ["ENOENT"]);
    wrong({ path: "/none", call: CALL.ACCESS, answer: failure("ENOTDIR") });
    wrong({ path: "/file/x", call: CALL.ACCESS, answer: failure("ENOENT") });
    assert.equal(wrong({ path: "/none", answer: failure("EACCES") }).answered, "EACCES");
  });
  test("an error that is not a file system's ends the job", () => {
    assert.throws(() => ask({ path: "/file", answer: failure("ERR_INVALID_ARG_TYPE") }), /ERR_INVALID_ARG_TYPE/);
  });
});

describe("a path on which something moves", () => {
  test("a thing that stands still allows the answer of its state only", () => {
    right({ path: "/dir/file", versions: [4, 4], answer: there });
    wrong({ path: "/dir/file", versions: [4, 4], answer: nothing });
    right({ path: "/dir/file", versions: [2, 2], answer: nothing });
    wrong({ path: "/dir/file", versions: [2, 2], answer: there });
    right({ path: "/away/file", versions: [2, 2], answer: there });
    wrong({ path: "/away/file", versions: [0, 0], answer: there });
  });
  test("a thing that is moving, or has moved, allows the answers of both states", () => {
    const moved: [number, number][] = [
      [1, 1],
      [0, 1],
      [0, 2],
      [3, 3],
      [1, 7],
    ];
    for (const versions of moved) {
      right({ path: "/dir/file", versions, answer: there });
      right({ path: "/dir/file", versions, answer: nothing });
      wrong({ path: "/dir/file", versions, answer: failure("EACCES") });
      wrong({ path: "/dir/file", versions, call: CALL.ACCESS, answer: failure("ENOTDIR") });
      const example = wrong({ path: "/dir/file", versions, answer: () => stats({ ino: 77 }) });
      assert.deepEqual(example.things, [{ thing: 0, before: versions[0], after: versions[1] }]);
      assert.equal(example.allowed.length, 2);
    }
  });
  test("a thing that stops moving during the lookup allows the answers of both states", () => {
    right({ path: "/away/file", versions: [1, 2], answer: there });
    right({ path: "/away/file", versions: [1, 2], answer: nothing });
  });
  test("a mount has another device and hides the directory it covers", () => {
    const root = () => stats({ mode: 0o40777, ino: 1, dev: 9 });
    right({ path: "/covered", versions: [2, 2], answer: root });
    wrong({ path: "/covered", versions: [0, 0], answer: root });
    wrong({ path: "/covered", versions: [2, 2], answer: () => stats({ mode: 0o40777, ino: 1 }) });
    wrong({ path: "/covered/file", versions: [2, 2], answer: there });
    right({ path: "/covered/file", versions: [2, 2], answer: nothing });
  });
  test("a new file has the inode number that the mutator published", () => {
    right({ path: "/made", versions: [2, 2], published: LARGE, answer: () => stats({ ino: LARGE }) });
    wrong({ path: "/made", versions: [2, 2], published: LARGE, answer: () => stats({ ino: LARGE + 1 }) });
    right({ path: "/made", versions: [1, 3], published: LARGE, answer: () => stats({ ino: LARGE + 1 }) });
  });
});
