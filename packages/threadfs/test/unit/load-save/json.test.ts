/**
 * `fromJSON`, `fromNestedJSON`, `toJSON` and `reset` do what memfs's Volume does with the same arguments, and what the kernel does
 * where memfs has no links, permissions or file types to ask for.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { type DirectoryJSON as MemfsJSON, Volume } from "memfs";
import { createVfs, type DirectoryJSON, type NestedDirectoryJSON, type Vfs } from "../../../dist/src/index.js";
import { refused } from "../../support/errors.js";
import { tree } from "../api/trees.js";

let vfs: Vfs;
before(async () => {
  vfs = await tree({ maxBytes: 1 << 24 });
});
beforeEach(() => {
  vfs.chdir("/");
  vfs.reset();
});

const FILES = { "/dir/file": "x", "/dir/sub/empty": null, "/z": Buffer.from("q"), "relative/ü": "r" };

/** The same files in both, and a link to a directory of them. */
function both(): { memfs: InstanceType<typeof Volume>; ours: Vfs } {
  const memfs = Volume.fromJSON(FILES as MemfsJSON, "/base");
  vfs.fromJSON(FILES, "/base");
  for (const { symlinkSync } of [memfs, vfs.fs]) {
    symlinkSync("/dir", "/link");
    symlinkSync("/nowhere", "/dir/broken");
  }
  return { memfs, ours: vfs };
}

describe("toJSON returns what memfs returns", () => {
  const cases: readonly Parameters<Vfs["toJSON"]>[] = [
    [],
    [null],
    ["/dir"],
    ["/dir/"],
    ["/dir", {}, true],
    ["/dir/file"],
    ["/dir/file", {}, true],
    ["/link"],
    ["/link", {}, true],
    ["/link/file", {}, true],
    ["/dir/broken"],
    [["/dir/sub", "/z"], { "/before": "kept" }, true],
    [[]],
    ["/none"],
    [["/none", "/z/below", "/z"]],
    ["/", {}, true],
    ["/dir/sub/empty"],
    ["/dir/sub/empty", {}, true],
    [Buffer.from("/dir/sub")],
    [new URL("file:///dir/sub")],
  ];
  for (const args of cases) {
    test(`toJSON(${args.map((arg) => (arg instanceof URL ? `${arg}` : JSON.stringify(arg))).join(", ")})`, () => {
      const { memfs, ours } = both();
      // Each fills an object of its own.
      const [paths, json, isRelative] = args;
      const copy = () => (json === undefined ? undefined : { ...json });
      const expected = memfs.toJSON(paths as string, copy(), isRelative);
      assert.deepEqual(ours.toJSON(paths, copy(), isRelative), expected);
    });
  }
  test("asBuffer", () => {
    const { memfs, ours } = both();
    assert.deepEqual(ours.toJSON("/", {}, false, true), memfs.toJSON("/", {}, false, true));
  });
  test("an empty tree", () => {
    assert.deepEqual(vfs.toJSON(), new Volume().toJSON());
  });
  test("it returns the object that it was given", () => {
    const json = {};
    assert.equal(vfs.toJSON("/", json), json);
  });
});

describe("fromJSON and fromNestedJSON make what memfs makes", () => {
  const flat: readonly [DirectoryJSON, string?][] = [
    [{}, "/"],
    [{ "": null }, "/x"],
    [{ "": "x" }, "/x"],
    [{ "a/b": "1", "./a/c": "2", "/d": "3" }, "/c"],
    [{ a: null }, "/x/y/z"],
    [{ a: "first", "/x/a": "last" }, "/x"],
    [{ "/é": "ü\ud800" }, "/"],
    [{ constructor: "a", toString: null }, "/"],
  ];
  for (const [json, cwd] of flat) {
    test(`fromJSON(${JSON.stringify(json)}, ${JSON.stringify(cwd)})`, () => {
      vfs.fromJSON(json, cwd);
      assert.deepEqual(vfs.toJSON(), Volume.fromJSON(json as MemfsJSON, cwd).toJSON());
    });
  }
  const nested: readonly [NestedDirectoryJSON, string?][] = [
    [{ a: { b: "c", "d/e": null, f: {}, "/g": "x", h: { i: null } } }, "/q"],
    [{ "/a": { b: "c" } }, "/q"],
    [{ a: Buffer.from("bytes") }, "/"],
    [{ a: {}, b: { c: {} } }, "/"],
  ];
  for (const [json, cwd] of nested) {
    test(`fromNestedJSON(${JSON.stringify(json)}, ${JSON.stringify(cwd)})`, () => {
      vfs.fromNestedJSON(json, cwd);
      assert.deepEqual(vfs.toJSON(), Volume.fromNestedJSON(json as MemfsJSON, cwd).toJSON());
    });
  }
});

describe("where the kernel decides, or an input is wrong", () => {
  test("any bytes are contents, and they come back the same", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    vfs.fromJSON({ "/f": bytes });
    assert.deepEqual([...(vfs.toJSON("/f", {}, false, true)["/f"] ?? [])], [...bytes]);
  });
  test("a key may be relative to the working directory, and the directory too", () => {
    vfs.fs.mkdirSync("/work");
    vfs.chdir("/work");
    vfs.fromJSON({ a: "1" });
    vfs.fromJSON({ b: "2" }, "sub");
    assert.deepEqual(vfs.toJSON(), { "/work/a": "1", "/work/sub/b": "2" });
  });
  test('".." behind a link leads to the parent of its target', () => {
    vfs.fromJSON({ "/real/dir": null });
    vfs.fs.symlinkSync("/real/dir", "/link");
    vfs.fromJSON({ "/link/../file": "x" });
    assert.deepEqual(vfs.toJSON(), { "/real/dir": null, "/real/file": "x" });
  });
  test("a file whose path ends in a slash is EISDIR", () => {
    refused("EISDIR", () => vfs.fromJSON({ "/a/": "x" }));
  });
  test("a file below a file is an error, and what came before exists", () => {
    refused("EEXIST", () => vfs.fromJSON({ "/a": "x", "/a/b": "y", "/c": "z" }));
    assert.deepEqual(vfs.toJSON(), { "/a": "x" });
  });
  test("modes are those of mkdir and open, with the umask", () => {
    vfs.umask(0o077);
    vfs.fromJSON({ "/d/f": "" });
    vfs.umask(0o022);
    assert.equal(vfs.fs.statSync("/d").mode & 0o777, 0o700);
    assert.equal(vfs.fs.statSync("/d/f").mode & 0o777, 0o600);
  });
  test("a name that is not UTF-8 has U+FFFD in its key, and its file is read", () => {
    vfs.fs.writeFileSync(Buffer.from([47, 0xff]), "x");
    assert.deepEqual(vfs.toJSON(), { "/\ufffd": "x" });
  });
  test("a file called __proto__ is an ordinary member", () => {
    vfs.fromJSON({ "/d/__proto__": "x" });
    const json = vfs.toJSON("/d", {}, true);
    assert.deepEqual(Object.keys(json), ["__proto__"]);
    assert.equal(Object.getPrototypeOf(json), Object.prototype);
  });
  test("keys are in the order of the names", () => {
    vfs.fromJSON({ "/b/2": "", "/a": "", "/b/1": "", "/c": null });
    assert.deepEqual(Object.keys(vfs.toJSON()), ["/a", "/b/1", "/b/2", "/c"]);
  });
  test("a directory of the deepest path", () => {
    const path = "/d".repeat(2047);
    vfs.fromJSON({ [path]: null });
    assert.deepEqual(vfs.toJSON(), { [path]: null });
  });
  for (const value of [5, true, undefined, () => {}, ["x"], Symbol("s")]) {
    test(`a value that is no contents is refused: ${typeof value}`, () => {
      refused("ERR_INVALID_ARG_TYPE", () => vfs.fromJSON({ "/a": value as unknown as string }));
      refused("ERR_INVALID_ARG_TYPE", () => vfs.fromNestedJSON({ a: { b: value as unknown as string } }));
    });
  }
  test("an object in fromJSON is refused, and says which", () => {
    const json = { "/a": { b: "x" } as unknown as string };
    assert.throws(() => vfs.fromJSON(json), { code: "ERR_INVALID_ARG_TYPE", message: /"\/a"/ });
  });
  for (const json of [null, undefined, "text", 5, ["/a"], Buffer.from("x")]) {
    test(`JSON that is no object is refused: ${typeof json}`, () => {
      refused("ERR_INVALID_ARG_TYPE", () => vfs.fromJSON(json as unknown as DirectoryJSON));
      refused("ERR_INVALID_ARG_TYPE", () => vfs.fromNestedJSON(json as unknown as NestedDirectoryJSON));
    });
  }
  test("wrong directories and paths are refused", () => {
    refused("ERR_INVALID_ARG_TYPE", () => vfs.fromJSON({ a: "" }, 5 as unknown as string));
    refused("ERR_INVALID_ARG_VALUE", () => vfs.fromJSON({ a: "" }, "a\0b"));
    refused("ERR_INVALID_ARG_VALUE", () => vfs.fromJSON({ "a\0b": "" }));
    refused("ERR_INVALID_ARG_TYPE", () => vfs.toJSON(5 as unknown as string));
    refused("ERR_INVALID_ARG_TYPE", () => vfs.toJSON("/", 5 as unknown as object));
  });
  test("an object that contains itself ends with an error", () => {
    const json: NestedDirectoryJSON = {};
    json.again = json;
    refused("ERR_OUT_OF_RANGE", () => vfs.fromNestedJSON(json));
  });
  test("a closed tree", async () => {
    const closed = await createVfs({ maxBytes: 1 << 24 });
    closed.close();
    for (const run of [() => closed.toJSON(), () => closed.fromJSON({ a: "" }), () => closed.reset()])
      refused("ERR_THREADFS_CLOSED", run);
  });
  test("a file that may not be read is an error of its own path", () => {
    vfs.fromJSON({ "/secret": "x" });
    vfs.fs.chmodSync("/secret", 0);
    const user = vfs.context({ uid: 1000, gid: 1000, groups: [] });
    after(() => user.close());
    assert.throws(() => user.toJSON(), { code: "EACCES", path: "/secret" });
  });
});

describe("reset", () => {
  test("removes everything below the root; files that are open stay open", () => {
    vfs.fromJSON({ "/a/b/c": "x", "/d": null });
    const fd = vfs.fs.openSync("/a/b/c");
    vfs.reset();
    assert.deepEqual(vfs.fs.readdirSync("/"), []);
    assert.equal(vfs.fs.readFileSync(fd, "utf8"), "x");
    vfs.fs.closeSync(fd);
  });
  test("a mount point is EBUSY", () => {
    vfs.fs.mkdirSync("/m");
    vfs.mount(null, "/m", "tmpfs");
    refused("EBUSY", () => vfs.reset());
    vfs.umount("/m");
  });
});
