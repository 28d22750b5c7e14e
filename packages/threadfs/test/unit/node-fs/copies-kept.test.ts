/**
 * Copies where they differ from Node 26 on purpose: a copy that fails leaves the destination as it was. Node removes it, makes
 * directories until a path is too long, or ends the process.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { createVfs, type FsSync, type Vfs } from "../../../dist/src/index.js";

const USER = { uid: 1000, gid: 1000, groups: [1000] };

describe("a copy that fails keeps what it would replace", () => {
  let vfs: Vfs;
  let fs: FsSync;
  before(async () => {
    vfs = await createVfs({ maxBytes: 1 << 26 });
    fs = vfs.fs;
  });
  after(() => vfs.close());
  beforeEach(() => {
    fs.rmSync("/top", { recursive: true, force: true });
    fs.mkdirSync("/top/d", { recursive: true });
    fs.writeFileSync("/top/f", "kept");
    fs.writeFileSync("/top/new", "new");
  });

  const kept = () => assert.equal(fs.readFileSync("/top/f", "utf8"), "kept");

  test("copyFile of a directory", () => {
    assert.throws(() => fs.copyFileSync("/top/d", "/top/f"), { code: "EISDIR", syscall: "copyfile" });
    kept();
    assert.throws(() => fs.copyFileSync("/top/d", "/top/f", fs.constants.COPYFILE_EXCL), { code: "EEXIST" });
    assert.throws(() => fs.copyFileSync("/top/d", "/top/made"), { code: "EISDIR" });
    assert.equal(fs.existsSync("/top/made"), false);
  });
  test("copyFile that must share blocks", () => {
    const { COPYFILE_FICLONE_FORCE } = fs.constants;
    assert.throws(() => fs.copyFileSync("/top/new", "/top/f", COPYFILE_FICLONE_FORCE), { code: "ENOTSUP" });
    kept();
    assert.throws(() => fs.copyFileSync("/top/new", "/top/made", COPYFILE_FICLONE_FORCE), { code: "ENOTSUP" });
    assert.equal(fs.existsSync("/top/made"), false);
  });
  test("copyFile over a file whose mode the caller may not set", () => {
    fs.chmodSync("/top/f", 0o666);
    const context = vfs.context(USER);
    assert.throws(() => context.fs.copyFileSync("/top/new", "/top/f"), { code: "EPERM", syscall: "copyfile" });
    kept();
    context.close();
  });
  test("cp of a file that the caller may not read", () => {
    fs.chmodSync("/top", 0o777);
    fs.chmodSync("/top/new", 0);
    const context = vfs.context(USER);
    assert.throws(() => context.fs.cpSync("/top/new", "/top/f"), { code: "EACCES", syscall: "cp" });
    kept();
    context.close();
  });
  test("cp of a file to a link to nothing makes the file that the link names, or replaces the link", () => {
    fs.symlinkSync("nowhere", "/top/dangling");
    fs.cpSync("/top/f", "/top/dangling");
    assert.equal(fs.readFileSync("/top/dangling", "utf8"), "kept");
    kept();
  });
  test("cp of a tree that contains itself, or its copy, through a link", () => {
    const options = { recursive: true, dereference: true };
    fs.mkdirSync("/top/s");
    fs.symlinkSync(".", "/top/s/self");
    assert.throws(() => fs.cpSync("/top/s", "/top/made", options), { code: "ERR_FS_CP_EINVAL" });
    fs.unlinkSync("/top/s/self");
    fs.mkdirSync("/top/t/u", { recursive: true });
    fs.symlinkSync("/top/t", "/top/s/a");
    fs.symlinkSync("/top/t/u", "/top/d/a");
    for (const filter of [undefined, () => true]) {
      assert.throws(() => fs.cpSync("/top/s", "/top/d", { ...options, filter }), { code: "ERR_FS_CP_EINVAL" });
    }
    assert.deepEqual(fs.readdirSync("/top/t/u"), []);
  });
  test("cp of a link that leads to itself copies the link", () => {
    fs.mkdirSync("/top/s");
    fs.symlinkSync("a", "/top/s/a");
    fs.cpSync("/top/s", "/top/made", { recursive: true });
    assert.equal(fs.readlinkSync("/top/made/a"), "/top/s/a");
  });
  test("cp with a filter passes names that are no UTF-8 as bytes", () => {
    const name = Buffer.from("/top/s/\xff", "latin1");
    fs.mkdirSync("/top/s");
    fs.writeFileSync(name, "bytes");
    const seen: unknown[] = [];
    fs.cpSync("/top/s", "/top/made", { recursive: true, filter: (src) => seen.push(src) > 0 });
    assert.deepEqual(
      seen.map((path) => Buffer.from(path as string).toString("latin1")),
      ["/top/s", "/top/s/\xff"],
    );
    assert.deepEqual(fs.readdirSync("/top/made", "latin1"), ["\xff"]);
  });
});
