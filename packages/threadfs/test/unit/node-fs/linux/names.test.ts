/** `vfs.at()`, and the calls of `vfs.linux` on names. What they return is held to the kernel in test/conformance/linux/. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { CAP_MKNOD } from "../../../../dist/abi/abi.js";
import { createVfs, OPEN_FLAGS, type Vfs } from "../../../../dist/src/index.js";
import { refused } from "../../../support/errors.js";

const { O_PATH, O_TMPFILE } = OPEN_FLAGS;

/** A tree with /d/f, /d/sub/g and /f; its arena is whole in the end. */
async function tree(t: TestContext): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 8 << 20 });
  t.after(() => {
    assert.deepEqual(check(vfs.handle.memory).problems, []);
    vfs.close();
  });
  vfs.fs.mkdirSync("/d/sub", { recursive: true });
  for (const path of ["/d/f", "/d/sub/g", "/f"]) vfs.fs.writeFileSync(path, path);
  return vfs;
}

describe("at", () => {
  test("starts relative paths at the directory, whatever it is called by now", async (t) => {
    const vfs = await tree(t);
    const at = vfs.at(vfs.fs.openSync("/d", "r"));
    vfs.chdir("/d/sub");
    vfs.fs.renameSync("/d", "/moved");
    assert.equal(at.readFileSync("f", "utf8"), "/d/f");
    assert.equal(await at.promises.readFile("sub/g", "utf8"), "/d/sub/g");
    assert.equal(at.readFileSync("/f", "utf8"), "/f");
    assert.equal(at.readFileSync("../f", "utf8"), "/f");
    assert.equal(at.existsSync("f"), true);
    assert.equal(at.existsSync("g"), false);
    assert.deepEqual(at.readdirSync("."), ["f", "sub"]);
    assert.equal(at.realpathSync("sub/../f"), "/moved/f");
    assert.equal(at.realpathSync.native("sub"), "/moved/sub");
    assert.deepEqual(at.globSync("**/g"), ["sub/g"]);
    at.symlinkSync("f", "link");
    assert.equal(at.readlinkSync("link"), "f");
    at.cpSync("sub", "copy", { recursive: true });
    at.linkSync("f", "hard");
    at.chmodSync("hard", 0o600);
    assert.equal(vfs.fs.statSync("/moved/f").mode & 0o777, 0o600);
    at.rmSync("sub", { recursive: true });
    await at.promises.mkdir("new/deep", { recursive: true });
    assert.deepEqual(vfs.fs.readdirSync("/moved").sort(), ["copy", "f", "hard", "link", "new"]);
    const temporary = at.mkdtempDisposableSync("t-");
    assert.match(temporary.path, /^t-/);
    temporary.remove();
    assert.equal(at.existsSync(temporary.path), false);
  });

  test("takes the descriptor of a directory, as long as that is open", async (t) => {
    const vfs = await tree(t);
    const place = vfs.fs.openSync("/d", O_PATH);
    const at = vfs.at(place);
    assert.equal(at.statSync("f").size, 4);
    vfs.fs.closeSync(place);
    refused("EBADF", () => at.statSync("f"));
    refused("EBADF", () => at.realpathSync("f"));
    assert.equal(at.statSync("/f").size, 2);
    refused("EBADF", () => vfs.at(place));
    refused("ENOTDIR", () => vfs.at(vfs.fs.openSync("/f", "r")));
    refused("ERR_INVALID_ARG_TYPE", () => vfs.at("/d" as never));
    refused("ERR_OUT_OF_RANGE", () => vfs.at(-1));
  });

  test("ends with its context, and has that one's rights and descriptors", async (t) => {
    const vfs = await tree(t);
    vfs.fs.chmodSync("/d", 0o700);
    const user = vfs.context({ uid: 1000, gid: 1000 });
    refused("EBADF", () => user.at(vfs.fs.openSync("/d", "r")));
    const at = user.at(user.fs.openSync("/d", O_PATH));
    refused("EACCES", () => at.readFileSync("f"));
    user.close();
    refused("ERR_THREADFS_CLOSED", () => at.readFileSync("/f"));
  });
});

describe("names", () => {
  test("renameat2 keeps what is there, or exchanges", async (t) => {
    const { fs, linux } = await tree(t);
    refused("EEXIST", () => linux.renameat2Sync("/f", "/d/f", { noreplace: true }));
    linux.renameat2Sync("/f", "/d", { exchange: true });
    assert.equal(fs.readFileSync("/d", "utf8"), "/f");
    await linux.renameat2("/f/f", "/g", { noreplace: true });
    assert.equal(fs.readFileSync("/g", "utf8"), "/d/f");
    await assert.rejects(linux.renameat2("/g", "/nothing", { exchange: true }), {
      code: "ENOENT",
      syscall: "renameat2",
      path: "/g",
      dest: "/nothing",
    });
    refused("EINVAL", () => linux.renameat2Sync("/g", "/d", { exchange: true, noreplace: true }));
    refused("ERR_INVALID_ARG_VALUE", () => linux.renameat2Sync("/g", "/d", { replace: true } as never));
    refused("ERR_INVALID_ARG_TYPE", () => linux.renameat2Sync("/g", "/d", { exchange: 1 } as never));
  });

  test("both paths may start at descriptors", async (t) => {
    const { fs, linux } = await tree(t);
    const [d, sub] = [fs.openSync("/d", "r"), fs.openSync("/d/sub", "r")];
    linux.renameat2Sync("f", "h", { oldDirFd: d, newDirFd: sub });
    assert.equal(fs.readFileSync("/d/sub/h", "utf8"), "/d/f");
    const at = linux.at(d);
    at.renameat2Sync("sub/h", "f");
    await at.linkat("f", "/again");
    assert.equal(fs.statSync("/d/f").nlink, 2);
    refused("ENOTDIR", () => linux.at(fs.openSync("/f", "r")));
  });

  test("a file without a name gets one by its descriptor, once", async (t) => {
    const { fs, linux } = await tree(t);
    const fd = fs.openSync("/d", O_TMPFILE | fs.constants.O_RDWR, 0o640);
    fs.writeSync(fd, "unnamed");
    // It is never linked: the checker sees it so.
    fs.openSync("/d", O_TMPFILE | fs.constants.O_RDWR);
    assert.deepEqual(fs.readdirSync("/d").sort(), ["f", "sub"]);
    refused("EEXIST", () => linux.linkatSync(fd, "/d/f"));
    await linux.linkat(fd, "/d/named");
    assert.equal(fs.readFileSync("/d/named", "utf8"), "unnamed");
    assert.equal(fs.fstatSync(fd).nlink, 1);
    fs.unlinkSync("/d/named");
    refused("ENOENT", () => linux.linkatSync(fd, "/d/named"));
    const never = fs.openSync("/d", O_TMPFILE | fs.constants.O_WRONLY | fs.constants.O_EXCL);
    refused("ENOENT", () => linux.linkatSync(never, "/d/named"));
    refused("EBADF", () => linux.linkatSync(99, "/d/named"));
    refused("EPERM", () => linux.linkatSync(fs.openSync("/d", "r"), "/d/named"));
  });

  test("pipes and sockets are names", async (t) => {
    const { fs, linux } = await tree(t);
    linux.mkfifoSync("/pipe", 0o640);
    await linux.mknod("/socket", fs.constants.S_IFSOCK | 0o600);
    await linux.mkfifo("/pipe2", "600");
    linux.mknodSync("/file");
    assert.equal(fs.statSync("/pipe").isFIFO(), true);
    assert.equal(fs.statSync("/socket").isSocket(), true);
    assert.equal(fs.statSync("/pipe2").mode & 0o777, 0o600);
    assert.equal(fs.statSync("/file").mode & 0o777, 0o644);
    refused("ENXIO", () => fs.openSync("/socket", "r"));
    refused("EEXIST", () => linux.mkfifoSync("/pipe"));
    refused("EPERM", () => linux.mknodSync("/directory", fs.constants.S_IFDIR | 0o700));
    refused("EINVAL", () => linux.mknodSync("/link", fs.constants.S_IFLNK | 0o700));
    refused("ERR_OUT_OF_RANGE", () => linux.mknodSync("/x", 2 ** 17));
    refused("ERR_INVALID_ARG_TYPE", () => linux.mknodSync("/x", "600" as never));
  });
});

describe("devices", () => {
  test("are names with a number", async (t) => {
    const vfs = await tree(t);
    const { fs, linux } = vfs;
    const { S_IFBLK, S_IFCHR, S_IFIFO } = fs.constants;
    linux.mknodSync("/c", S_IFCHR | 0o666, 0x103);
    await linux.mknod("/d/b", S_IFBLK | 0o660, 2 ** 32 - 1);
    linux.mknodSync("/pipe", S_IFIFO | 0o600, 0x103);
    fs.writeFileSync("/f", "other contents");
    assert.equal(fs.statSync("/f").rdev, 0);
    const [c, b] = [fs.statSync("/c"), fs.lstatSync("/d/b", { bigint: true })];
    assert.deepEqual([c.isCharacterDevice(), c.mode & 0o777, c.rdev, c.size, c.blocks], [true, 0o644, 0x103, 0, 0]);
    assert.deepEqual([b.isBlockDevice(), b.rdev, fs.statSync("/pipe").rdev], [true, 2n ** 32n - 1n, 0]);
    assert.equal(linux.statxSync("/c").rdev, 0x103n);
    fs.linkSync("/c", "/again");
    fs.renameSync("/again", "/d/c");
    assert.deepEqual([fs.statSync("/d/c").rdev, fs.statSync("/d/c").nlink], [0x103, 2]);
    const kinds = fs
      .readdirSync("/d", { withFileTypes: true })
      .map((e) => [e.name, e.isBlockDevice(), e.isCharacterDevice()]);
    assert.deepEqual(
      kinds.filter(([name]) => name === "b" || name === "c"),
      [
        ["b", true, false],
        ["c", false, true],
      ],
    );
    for (const flags of ["r", "w", "r+"]) refused("ENXIO", () => fs.openSync("/c", flags));
    refused("ENXIO", () => fs.readFileSync("/c"));
    assert.equal(fs.fstatSync(fs.openSync("/c", O_PATH)).rdev, 0x103);
    refused("EEXIST", () => linux.mknodSync("/c", S_IFCHR, 1));
    for (const dev of [-1, 2 ** 32, 0.5]) refused("ERR_OUT_OF_RANGE", () => linux.mknodSync("/x", S_IFCHR, dev));
    vfs.mount("/d", "/d", "bind", { nodev: true });
    refused("EACCES", () => fs.openSync("/d/b", "r"));
    fs.unlinkSync("/d/b");
  });

  test("need CAP_MKNOD, but not a whiteout", async (t) => {
    const vfs = await tree(t);
    const { fs } = vfs;
    const { S_IFBLK, S_IFCHR } = fs.constants;
    fs.chmodSync("/d", 0o777);
    const user = vfs.context({ uid: 1000, gid: 1000 });
    refused("EPERM", () => user.linux.mknodSync("/d/x", S_IFCHR | 0o600, 1));
    refused("EPERM", () => user.linux.mknodSync("/d/x", S_IFBLK | 0o600, 0));
    user.linux.mknodSync("/d/whiteout", S_IFCHR, 0);
    assert.equal(fs.statSync("/d/whiteout").rdev, 0);
    const maker = vfs.context({ uid: 1000, gid: 1000, caps: CAP_MKNOD });
    maker.linux.mknodSync("/d/x", S_IFCHR | 0o600, 1);
    // Permission to write to the directory comes first.
    refused("EACCES", () => user.linux.mknodSync("/x", S_IFCHR | 0o600, 1));
  });
});

describe("links", () => {
  test("a link gets another name, or with `follow` its target", async (t) => {
    const { fs, linux } = await tree(t);
    fs.symlinkSync("f", "/l");
    linux.linkatSync("/l", "/m");
    linux.linkatSync("/l", "/n", { follow: true });
    assert.equal(fs.readlinkSync("/m"), "f");
    assert.equal(fs.lstatSync("/n").ino, fs.lstatSync("/f").ino);
  });
});
