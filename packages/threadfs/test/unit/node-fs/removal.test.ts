/**
 * `rm` where it differs from Node 26 on purpose: of a directory that cannot be removed nothing is removed. Node empties it
 * first. The errors are those of the call that fails; Node's `code` is empty for some of them. removal-later.test.ts has the errors of the
 * asynchronous forms.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { createVfs, type Vfs } from "../../../dist/src/index.js";

const USER = { uid: 1000, gid: 1000, groups: [1000] };

describe("rm of a directory that cannot be removed keeps its contents", () => {
  let vfs: Vfs;
  before(async () => {
    vfs = await createVfs({ maxBytes: 1 << 26 });
  });
  after(() => vfs.close());
  beforeEach(() => {
    vfs.fs.rmSync("/top", { recursive: true, force: true });
    vfs.fs.mkdirSync("/top/d/sub/deep", { recursive: true });
    vfs.fs.writeFileSync("/top/d/f", "kept");
    vfs.fs.writeFileSync("/top/d/sub/deep/f", "kept");
    vfs.fs.symlinkSync("d", "/top/l");
  });

  const everything = () => vfs.fs.readdirSync("/top", { recursive: true }).length;

  /** `path` is refused with `code`, and the tree is as before. */
  function refused(path: string | Uint8Array, code: string, fs = vfs.fs): void {
    for (const options of [{ recursive: true }, { recursive: true, force: true, maxRetries: 1, retryDelay: 0 }]) {
      const before = everything();
      assert.throws(() => fs.rmSync(path, options), { code, syscall: "rm", path: String(Buffer.from(path)) });
      assert.equal(everything(), before);
    }
  }

  test("a link with a slash", () => {
    refused("/top/l/", "ENOTDIR");
    refused("/top/l///", "ENOTDIR");
    refused(Buffer.from("/top/l/"), "ENOTDIR");
  });
  test("a path that ends in a dot or in two", () => {
    for (const path of ["/top/d/.", "/top/d/./", "/top/l/.", "/top/d/sub/."]) refused(path, "EINVAL");
    for (const path of ["/top/d/..", "/top/d/sub/../", "/top/l/sub/..", "/top/d/sub/deep/../.."])
      refused(path, "ENOTEMPTY");
  });
  test("the root, and the root of a context", () => {
    refused("/", "EBUSY");
    refused("//", "EBUSY");
    const context = vfs.context({ root: "/top/d" });
    refused("/", "EBUSY", context.fs);
    context.close();
  });
  test("a directory in one that the caller may not write", () => {
    vfs.fs.chownSync("/top/d", USER.uid, USER.gid);
    const context = vfs.context(USER);
    refused("/top/d", "EACCES", context.fs);
    context.close();
  });
  test("another owner's directory in a sticky one", () => {
    vfs.fs.chmodSync("/top", 0o1777);
    vfs.fs.chmodSync("/top/d", 0o777);
    const context = vfs.context(USER);
    refused("/top/d", "EPERM", context.fs);
    context.close();
  });
  test("a directory below that is another owner's in a sticky one", () => {
    vfs.fs.mkdirSync("/top/d/sub/mine");
    for (const path of ["/top", "/top/d", "/top/d/sub"]) vfs.fs.chmodSync(path, 0o1777);
    vfs.fs.chownSync("/top/d", USER.uid, USER.gid);
    vfs.fs.chownSync("/top", USER.uid, USER.gid);
    vfs.fs.unlinkSync("/top/d/f");
    const context = vfs.context(USER);
    // The first of its entries is another owner's directory "deep" or the own "mine"; "deep" keeps its contents.
    vfs.fs.chownSync("/top/d/sub", USER.uid, USER.gid);
    vfs.fs.chmodSync("/top/d/sub", 0o1777);
    assert.throws(() => context.fs.rmSync("/top/d", { recursive: true }), { code: "EACCES" });
    assert.equal(vfs.fs.readFileSync("/top/d/sub/deep/f", "utf8"), "kept");
    context.close();
  });
  test("a mount point, and one below", () => {
    vfs.mount("none", "/top/d/sub", "tmpfs");
    vfs.fs.writeFileSync("/top/d/sub/in the mount", "kept");
    refused("/top/d/sub", "EBUSY");
    vfs.fs.unlinkSync("/top/d/f");
    refused("/top/d", "EBUSY");
    vfs.umount("/top/d/sub");
  });
  test("everything on a read-only mount", () => {
    vfs.mount("none", "/top/d/sub", "tmpfs");
    vfs.fs.mkdirSync("/top/d/sub/x/y", { recursive: true });
    vfs.mount("/top/d/sub", "/top/d/sub/x/y", "none", { bind: true, readonly: true });
    refused("/top/d/sub/x/y/x", "EROFS");
    vfs.umount("/top/d/sub/x/y");
    vfs.umount("/top/d/sub");
  });
});
