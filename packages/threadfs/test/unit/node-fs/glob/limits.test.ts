/** Patterns that Node is never done with, or runs out of memory by: each has an end here, or an error with a code. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createVfs, type Vfs } from "../../../../dist/src/index.js";

const NAME = "a".repeat(255);

describe("glob: limits", () => {
  let vfs: Vfs;
  before(async () => {
    vfs = await createVfs({ maxBytes: 1 << 24 });
    vfs.fs.writeFileSync(`/${NAME}`, "");
    vfs.fs.mkdirSync("/d/e", { recursive: true });
  });
  after(() => vfs.close());
  const refused = (pattern: string) =>
    assert.throws(() => vfs.fs.globSync(pattern), { name: "RangeError", code: "ERR_THREADFS_GLOB_LIMIT" });

  // With a regular expression, which tries every way of parting the name, none of these ends.
  test("patterns that match a name in many ways take no longer", () => {
    assert.deepEqual(vfs.fs.globSync(`${"*a".repeat(30)}b`), []);
    assert.deepEqual(vfs.fs.globSync(`${"*a".repeat(30)}*`), [NAME]);
    assert.deepEqual(vfs.fs.globSync("+(a|+(a|+(a)))b"), []);
    assert.deepEqual(vfs.fs.globSync("*(*(a|aa)|*(a)*a)"), [NAME]);
    assert.deepEqual(vfs.fs.globSync("+(!(b|+(a)b)a)!(*b)"), [NAME]);
    assert.deepEqual(vfs.fs.globSync(`${"?(a)".repeat(200)}b`), []);
  });

  test("a pattern has at most 65,536 characters", () => {
    assert.deepEqual(vfs.fs.globSync("x".repeat(65536)), []);
    refused("x".repeat(65537));
  });

  test("a pattern has at most 10,000 expansions", () => {
    assert.deepEqual(vfs.fs.globSync("{1..9999}"), []);
    refused("{1..10001}");
    refused("{1..1000000000000}");
    refused("{9007199254740992..9007199254740999}");
    refused("{a,b}".repeat(20));
    refused(`${"**/../x/y/".repeat(20)}z`);
    refused(`{1..9999}${"x".repeat(200)}`);
  });

  test("braces and groups are within at most 100 others", () => {
    assert.deepEqual(vfs.fs.globSync(`${"{x,".repeat(100)}d${"}".repeat(100)}`), ["d"]);
    refused(`${"{x,".repeat(30000)}d${"}".repeat(30000)}`);
    assert.deepEqual(vfs.fs.globSync(`${"*(x|".repeat(100)}d${")".repeat(100)}`), ["d"]);
    refused(`${"*(x|".repeat(10000)}d${")".repeat(10000)}`);
  });

  test("the pattern of a name has at most 20,000 states", () => {
    assert.deepEqual(vfs.fs.globSync("!(a)!(b)!(c)!(d)!(e)"), ["d"]);
    refused("!(a)".repeat(40));
    refused(`*${"x".repeat(30000)}`);
  });

  test("excluded patterns have the same limits", () => {
    const exclude = ["{1..10001}"];
    assert.throws(() => vfs.fs.globSync("*", { exclude }), { code: "ERR_THREADFS_GLOB_LIMIT" });
    const many = `**/${"a/**/".repeat(150)}b`;
    assert.deepEqual(vfs.fs.globSync("d/*", { exclude: [many, "**/e"] }), []);
  });
});

describe("glob: where Node throws errors without a code", () => {
  // Node throws a SyntaxError for a class with a name beside certain characters: its regular expression is none.
  test("a class with a name may be beside any character", async () => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    try {
      for (const name of ["a-b", "a,b", "a#b", "a b", "ab"]) vfs.fs.writeFileSync(`/${name}`, "");
      assert.deepEqual(vfs.fs.globSync("[[:alpha:]]-*"), ["a-b"]);
      assert.deepEqual(vfs.fs.globSync("[[:alpha:]]@( |#)b"), ["a b", "a#b"]);
    } finally {
      vfs.close();
    }
  });

  // Node asks null for its type.
  test("what is excluded may be missing", async () => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    try {
      assert.deepEqual(vfs.fs.globSync("../x", { cwd: "/no/where", exclude: ["/no"] }), []);
    } finally {
      vfs.close();
    }
  });

  // An internal assertion of Node fails.
  test("the type of cwd is checked with excluded patterns too", async () => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    try {
      const { globSync } = vfs.fs as unknown as { globSync(...args: unknown[]): unknown };
      const options = { cwd: 5, exclude: [] };
      const message = 'The "paths[0]" argument must be of type string. Received type number (5)';
      assert.throws(() => globSync("*", options), { code: "ERR_INVALID_ARG_TYPE", message });
    } finally {
      vfs.close();
    }
  });
});
