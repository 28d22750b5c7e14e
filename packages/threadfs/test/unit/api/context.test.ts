/** Contexts: credentials, working directory, root, umask and descriptors of their own; access control lists. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ACL_TAG, type AclEntry, type ContextOptions } from "../../../dist/src/index.js";
import { tree } from "./trees.js";

describe("contexts: credentials, working directory and root", () => {
  test("contexts have credentials of their own", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    fs.mkdirSync("/private", 0o700);
    fs.mkdirSync("/group", 0o750);
    fs.chownSync("/group", 0, 50);
    fs.writeFileSync("/private/file", "x");
    fs.writeFileSync("/group/file", "y", { mode: 0o644 });
    const stranger = vfs.context({ uid: 1000, gid: 1000 }).fs;
    assert.throws(() => stranger.readFileSync("/private/file"), { code: "EACCES" });
    assert.throws(() => stranger.readFileSync("/group/file"), { code: "EACCES" });
    assert.equal(stranger.existsSync("/private/file"), false);
    assert.throws(() => stranger.accessSync("/private", 1), { code: "EACCES", syscall: "access" });
    assert.throws(() => stranger.chmodSync("/private", 0o777), { code: "EPERM", syscall: "chmod" });
    assert.throws(() => stranger.mkdirSync("/new"), { code: "EACCES" });
    const member = vfs.context({ uid: 1000, gid: 1000, groups: [7, 50] }).fs;
    assert.equal(member.readFileSync("/group/file", "utf8"), "y");
    const override = vfs.context({ uid: 1000, gid: 1000, caps: 1 << 1 }).fs;
    assert.equal(override.readFileSync("/private/file", "utf8"), "x");
    const powerless = vfs.context({ uid: 0, gid: 0, caps: 0 }).fs;
    fs.chmodSync("/private", 0);
    assert.throws(() => powerless.readdirSync("/private"), { code: "EACCES" });
  });

  test("contexts have a working directory of their own", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    fs.mkdirSync("/a/b", { recursive: true });
    fs.writeFileSync("/a/file", "a");
    const one = vfs.context({ cwd: "/a" });
    const two = vfs.context();
    assert.deepEqual([one.getcwd(), two.getcwd()], ["/a", "/"]);
    assert.equal(one.fs.readFileSync("file", "utf8"), "a");
    assert.equal(two.fs.existsSync("file"), false);
    one.chdir("b");
    assert.equal(one.getcwd(), "/a/b");
    assert.equal(one.fs.realpathSync("../file"), "/a/file");
    assert.equal(one.fs.realpathSync(""), "/a/b");
    fs.renameSync("/a", "/moved");
    assert.equal(one.getcwd(), "/moved/b");
    assert.equal(one.fs.readFileSync("../file", "utf8"), "a");
    assert.throws(() => one.chdir("/missing"), { code: "ENOENT", syscall: "chdir", path: "/missing" });
    assert.throws(() => one.chdir("../file"), { code: "ENOTDIR" });
    fs.rmSync("/moved", { recursive: true });
    assert.throws(() => one.getcwd(), { code: "ENOENT" });
    assert.throws(() => one.fs.writeFileSync("new", "x"), { code: "ENOENT" });
    assert.throws(() => vfs.context({ cwd: "/missing" }), { code: "ENOENT" });
  });

  test("contexts have a root of their own", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    fs.mkdirSync("/jail/etc", { recursive: true });
    fs.writeFileSync("/secret", "outside");
    fs.writeFileSync("/jail/secret", "inside");
    fs.symlinkSync("/secret", "/jail/etc/link");
    fs.symlinkSync("../../../secret", "/jail/etc/climbing");
    const jailed = vfs.context({ uid: 1000, gid: 1000, root: "/jail", cwd: "/etc" });
    assert.equal(jailed.getcwd(), "/etc");
    for (const path of ["/secret", "../secret", "../../../secret", "link", "climbing", "/../secret"]) {
      assert.equal(jailed.fs.readFileSync(path, "utf8"), "inside", path);
    }
    assert.equal(jailed.fs.realpathSync("link"), "/secret");
    assert.throws(() => jailed.chroot("/etc"), { code: "EPERM", syscall: "chroot" });
    const root = vfs.context({});
    root.chroot("/jail");
    assert.equal(root.fs.readFileSync("/secret", "utf8"), "inside");
  });
});

describe("contexts: umask, descriptors and options", () => {
  test("contexts have a umask of their own", async () => {
    const vfs = await tree();
    const one = vfs.context({ umask: 0o027 });
    const two = vfs.context({ umask: 0 });
    one.fs.writeFileSync("/one", "");
    two.fs.writeFileSync("/two", "", { mode: 0o666 });
    one.fs.mkdirSync("/dir");
    const mode = (path: string) => vfs.fs.statSync(path).mode & 0o777;
    assert.deepEqual([mode("/one"), mode("/two"), mode("/dir")], [0o640, 0o666, 0o750]);
    assert.equal(one.umask(), 0o027);
    assert.equal(one.umask("077" as unknown as number), 0o027);
    assert.equal(one.umask(), 0o077);
    assert.throws(() => one.umask("9" as unknown as number), { code: "ERR_INVALID_ARG_VALUE" });
  });

  test("contexts have descriptors of their own", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/file", "0123");
    const [one, two] = [vfs.context(), vfs.context()];
    const fd = one.fs.openSync("/file", "r");
    assert.throws(() => two.fs.fstatSync(fd), { code: "EBADF" });
    const other = two.fs.openSync("/file", "r");
    assert.equal(other, fd);
    one.fs.closeSync(fd);
    assert.equal(two.fs.readFileSync(other, "utf8"), "0123");
    const { openFiles } = vfs.counters();
    two.close();
    assert.equal(vfs.counters().openFiles, openFiles - 1);
  });

  test("wrong options of a context are refused", async () => {
    const vfs = await tree();
    for (const bad of [{ uid: -1 }, { gid: 2 ** 32 }, { groups: [1.5] }, { umask: -1 }, { caps: -2 }]) {
      assert.throws(() => vfs.context(bad), { code: "ERR_OUT_OF_RANGE" });
    }
    for (const bad of [{ uid: "0" }, { groups: 5 }, { groups: ["x"] }, { cwd: 5 }, { root: {} }]) {
      assert.throws(() => vfs.context(bad as unknown as ContextOptions), { code: "ERR_INVALID_ARG_TYPE" });
    }
  });
});

describe("access control lists", () => {
  const entries = [
    { tag: ACL_TAG.USER_OBJ, perm: 6 },
    { tag: ACL_TAG.USER, id: 1000, perm: 4 },
    { tag: ACL_TAG.GROUP_OBJ, perm: 0 },
    { tag: ACL_TAG.MASK, perm: 4 },
    { tag: ACL_TAG.OTHER, perm: 0 },
  ];
  test("an ACL gives access to the users that it names", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/file", "x", { mode: 0o600 });
    const named = vfs.context({ uid: 1000, gid: 1 });
    const other = vfs.context({ uid: 1001, gid: 1 });
    assert.throws(() => named.fs.readFileSync("/file"), { code: "EACCES" });
    vfs.setfacl("/file", entries);
    assert.equal(named.fs.readFileSync("/file", "utf8"), "x");
    assert.throws(() => other.fs.readFileSync("/file"), { code: "EACCES" });
    const read = vfs.getfacl("/file");
    assert.deepEqual(
      read.map(({ tag, perm }) => [tag, perm]),
      entries.map(({ tag, perm }) => [tag, perm]),
    );
    assert.equal(read[1]?.id, 1000);
    assert.throws(() => named.setfacl("/file", []), { code: "EPERM", syscall: "setfacl" });
    vfs.setfacl("/file", []);
    assert.deepEqual(vfs.getfacl("/file"), []);
    assert.throws(() => named.fs.readFileSync("/file"), { code: "EACCES" });
  });
  test("wrong ACLs are refused", async () => {
    const vfs = await tree();
    vfs.fs.writeFileSync("/file", "x");
    assert.throws(() => vfs.setfacl("/file", 5 as unknown as AclEntry[]), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => vfs.setfacl("/file", [{ tag: 0, perm: 0 }]), { code: "ERR_OUT_OF_RANGE" });
    assert.throws(() => vfs.setfacl("/file", [{ tag: 1, perm: 8 }]), { code: "ERR_OUT_OF_RANGE" });
    assert.throws(() => vfs.setfacl("/file", [{ tag: ACL_TAG.USER, id: 5, perm: 7 }]), { code: "EINVAL" });
    assert.throws(() => vfs.setfacl("/missing", entries), { code: "ENOENT", path: "/missing" });
  });
});
