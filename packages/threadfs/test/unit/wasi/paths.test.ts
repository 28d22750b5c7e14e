/** threadfs/wasi: calls with paths, which stay below their directory. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { boxed, DIR, FILETYPE, FSTFLAG, OFLAG, RIGHT, TestProgram } from "./program.js";

const { RESULT } = TestProgram;

test("directories, links and names are made, moved and removed", async (t) => {
  const { vfs, program } = await boxed(t);
  assert.equal(program.call("path_create_directory", DIR, "d/e"), "SUCCESS");
  assert.equal(program.call("path_create_directory", DIR, "d/e"), "EEXIST");
  assert.equal(program.call("path_symlink", "../../f", DIR, "d/e/up"), "SUCCESS");
  assert.equal(program.read(program.opened(DIR, "d/e/up"), 4), "0123");
  assert.equal(program.open(DIR, "d/e/up", { follow: 0 }), "ELOOP");
  assert.equal(program.call("path_readlink", DIR, "d/e/up", 2000, 100, RESULT), "SUCCESS");
  assert.equal(program.bytes(2000, program.result), "../../f");
  assert.equal(program.call("path_readlink", DIR, "d/e/up", 2000, 3, RESULT), "SUCCESS");
  assert.deepEqual([program.result, program.bytes(2000, 3)], [3, "../"]);
  assert.equal(program.call("path_link", DIR, 0, "f", DIR, "d/hard"), "SUCCESS");
  assert.equal(vfs.fs.statSync("/box/d/hard").nlink, 2);
  assert.equal(program.call("path_link", DIR, 1, "d/e/up", DIR, "d/followed"), "SUCCESS");
  assert.equal(vfs.fs.lstatSync("/box/d/followed").nlink, 3);
  assert.equal(program.call("path_link", DIR, 0, "d/e/up", DIR, "d/link"), "SUCCESS");
  assert.ok(vfs.fs.lstatSync("/box/d/link").isSymbolicLink());
  assert.equal(program.call("path_rename", DIR, "d/hard", DIR, "moved"), "SUCCESS");
  assert.equal(program.call("path_unlink_file", DIR, "moved"), "SUCCESS");
  assert.equal(program.call("path_unlink_file", DIR, "d"), "EISDIR");
  assert.equal(program.call("path_remove_directory", DIR, "d"), "ENOTEMPTY");
  assert.equal(program.call("path_remove_directory", DIR, "f"), "ENOTDIR");
  assert.deepEqual(vfs.fs.readdirSync("/box/d"), ["e", "followed", "link"]);
});

test("attributes of a path, of a link itself, and their times", async (t) => {
  const { vfs, program } = await boxed(t);
  vfs.fs.symlinkSync("f", "/box/l");
  const typeOf = (follow: number) => {
    assert.equal(program.call("path_filestat_get", DIR, follow, "l", RESULT), "SUCCESS");
    return program.view.getUint8(RESULT + 16);
  };
  assert.deepEqual([typeOf(1), typeOf(0)], [FILETYPE.REGULAR_FILE, FILETYPE.SYMBOLIC_LINK]);
  const set = (follow: number, ns: bigint) =>
    program.call("path_filestat_set_times", DIR, follow, "l", 0n, ns, FSTFLAG.MTIM);
  assert.equal(set(1, 7_000_000_000n), "SUCCESS");
  assert.equal(set(0, 9_000_000_000n), "SUCCESS");
  assert.deepEqual([vfs.fs.statSync("/box/f").mtimeMs, vfs.fs.lstatSync("/box/l").mtimeMs], [7000, 9000]);
  assert.equal(program.call("path_filestat_set_times", DIR, 0, "l", 0n, 0n, 3), "EINVAL");
});

test("the flags of path_open", async (t) => {
  const { vfs, program } = await boxed(t);
  const { CREAT, EXCL, TRUNC, DIRECTORY } = OFLAG;
  assert.equal(program.open(DIR, "new"), "ENOENT");
  const made = program.opened(DIR, "new", { oflags: CREAT | EXCL });
  assert.equal(program.write(made, "x"), 1);
  assert.equal(program.open(DIR, "new", { oflags: CREAT | EXCL }), "EEXIST");
  assert.equal(program.open(DIR, "f", { oflags: DIRECTORY }), "ENOTDIR");
  assert.equal(program.open(DIR, "f/x"), "ENOTDIR");
  const read = BigInt(RIGHT.FD_READ);
  assert.equal(program.write(program.opened(DIR, "f", { oflags: TRUNC, rights: read }), "y"), "ENOTCAPABLE");
  assert.equal(vfs.fs.statSync("/box/f").size, 0);
  assert.equal(program.open(DIR, "d", { rights: BigInt(RIGHT.FD_READ | RIGHT.FD_WRITE) }), "EISDIR");
  assert.equal(program.open(made, "x"), "ENOTCAPABLE");
  assert.equal(program.open(60, "x"), "EBADF");
  assert.equal(program.open(DIR, ""), "ENOENT");
  assert.equal(program.open(DIR, "f\0"), "EINVAL");
  assert.equal(program.open(DIR, "x".repeat(256)), "ENAMETOOLONG");
  assert.equal(program.open(DIR, `d/${"./".repeat(2100)}`), "ENAMETOOLONG");
  const umasked = vfs.fs.statSync("/box/new").mode & 0o777;
  assert.equal(umasked, 0o644);
});

describe("what leads out of the directory is ENOTCAPABLE", () => {
  const WAYS = ["../out/secret", "d/../../out/secret", "/box/f", "/", "..", "up/secret", "absolute"];

  test("in every call, with the link followed", async (t) => {
    const { vfs, program } = await boxed(t);
    vfs.fs.symlinkSync("../out", "/box/up");
    vfs.fs.symlinkSync("/box/f", "/box/absolute");
    const before = vfs.toJSON();
    for (const way of WAYS) {
      const is = (error: string, call: string) => assert.equal(error, "ENOTCAPABLE", `${call} ${way}`);
      is(String(program.open(DIR, way, { rights: BigInt(RIGHT.FD_READ) })), "path_open");
      is(program.call("path_filestat_get", DIR, 1, way, RESULT), "path_filestat_get");
      is(program.call("path_filestat_set_times", DIR, 1, way, 0n, 0n, FSTFLAG.MTIM_NOW), "path_filestat_set_times");
      is(program.call("path_link", DIR, 1, way, DIR, "new"), "path_link");
      if (way === "absolute") continue;
      is(program.call("path_readlink", DIR, way, 2000, 100, RESULT), "path_readlink");
      // What ends in ".." is no name that could be changed, which the calls see before they walk there.
      if (way === "..") continue;
      is(program.call("path_unlink_file", DIR, way), "path_unlink_file");
      is(program.call("path_remove_directory", DIR, way), "path_remove_directory");
      is(program.call("path_rename", DIR, way, DIR, "new"), "path_rename");
      is(program.call("path_rename", DIR, "f", DIR, way), "path_rename to it");
      is(program.call("path_link", DIR, 0, "f", DIR, way), "path_link to it");
      is(program.call("path_symlink", "f", DIR, way), "path_symlink");
      is(program.call("path_create_directory", DIR, way), "path_create_directory");
    }
    assert.equal(program.open(DIR, "../new", { oflags: OFLAG.CREAT }), "ENOTCAPABLE");
    assert.equal(program.call("path_symlink", "/box", DIR, "root"), "ENOTCAPABLE", "a body that no walk could follow");
    assert.deepEqual(vfs.toJSON(), before);
  });

  test("also from a directory that the program has opened, and after it was moved", async (t) => {
    const { vfs, program } = await boxed(t);
    const dir = program.opened(DIR, "d", { oflags: OFLAG.DIRECTORY });
    assert.equal(program.open(dir, "../f"), "ENOTCAPABLE");
    assert.equal(program.open(dir, ".", { oflags: OFLAG.DIRECTORY, rights: 0n }), dir + 1);
    vfs.fs.renameSync("/box/d", "/out/d");
    assert.equal(program.open(dir, "../secret"), "ENOTCAPABLE");
    assert.equal(program.call("path_create_directory", dir, "x"), "SUCCESS");
  });

  test("a rename or a link between two file systems is EXDEV", async (t) => {
    const { vfs, program } = await boxed(t);
    vfs.mount(null, "/box/d", "tmpfs");
    assert.equal(program.call("path_rename", DIR, "f", DIR, "d/f"), "EXDEV");
    assert.equal(program.call("path_link", DIR, 0, "f", DIR, "d/f"), "EXDEV");
    assert.equal(program.call("path_rename", DIR, "f", DIR, "d/../../f"), "ENOTCAPABLE");
  });

  test("the library's own calls in the thread are not confined by that", async (t) => {
    const { vfs, program } = await boxed(t);
    assert.equal(program.call("path_create_directory", DIR, "../x"), "ENOTCAPABLE");
    vfs.chdir("/box");
    vfs.fs.mkdirSync("../x");
    assert.ok(vfs.fs.existsSync("/x"));
  });
});

describe("fd_readdir", () => {
  test("shows the entries with their types and numbers, after '.' and '..'", async (t) => {
    const { vfs, program } = await boxed(t);
    vfs.fs.symlinkSync("f", "/box/l");
    vfs.linux.mkfifoSync("/box/p");
    const { names, types, used } = program.readdir(DIR);
    assert.deepEqual(names, [".", "..", "d", "f", "l", "p"]);
    const { DIRECTORY, REGULAR_FILE, SYMBOLIC_LINK, UNKNOWN } = FILETYPE;
    assert.deepEqual(types, [DIRECTORY, DIRECTORY, DIRECTORY, REGULAR_FILE, SYMBOLIC_LINK, UNKNOWN]);
    assert.ok(used < 4096);
    vfs.fs.rmdirSync("/box/d");
    const dir = program.opened(DIR, ".", { oflags: OFLAG.DIRECTORY, rights: BigInt(RIGHT.FD_READDIR) });
    assert.deepEqual(program.readdir(dir).names, [".", "..", "f", "l", "p"]);
  });

  test("goes on at any cookie, whatever was made and removed meanwhile, and cuts the last entry", async (t) => {
    const { vfs, program } = await boxed(t);
    const names = Array.from({ length: 300 }, (_, n) => `name-${n}`);
    for (const name of names) vfs.fs.writeFileSync(`/box/d/${name}`, "");
    const dir = program.opened(DIR, "d", { oflags: OFLAG.DIRECTORY, rights: BigInt(RIGHT.FD_READDIR) });
    for (const size of [25, 100, 333]) {
      const found: string[] = [];
      for (let cookie = 0n, used = size; used === size; ) {
        const part = program.readdir(dir, cookie, size);
        used = part.used;
        found.push(...part.names);
        cookie = part.cookies.at(-1) ?? cookie;
        if (part.names.length > 0 || used < size) continue;
        // Not one entry fits whole: so the program makes its buffer larger.
        const next = program.readdir(dir, cookie, 100);
        found.push(next.names[0] as string);
        cookie = next.cookies[0] as bigint;
      }
      assert.deepEqual(found, [".", "..", ...names], `buffers of ${size} bytes`);
    }
    const { cookies } = program.readdir(dir, 0n, 24 * 12);
    vfs.fs.unlinkSync("/box/d/name-1");
    vfs.fs.unlinkSync("/box/d/name-3");
    assert.deepEqual(program.readdir(dir, cookies[3]).names.slice(0, 2), ["name-2", "name-4"]);
    assert.equal(program.call("fd_readdir", dir, 2000, 100, -1n, RESULT), "EINVAL");
    vfs.fs.rmSync("/box/d", { recursive: true });
    assert.deepEqual(program.readdir(dir, 2n).names, []);
  });
});

test("the type of what is opened, whatever was looked at before", async (t) => {
  const { vfs, program } = await boxed(t);
  const typeOf = (path: string, options = {}): number => {
    const fd = program.opened(DIR, path, options);
    assert.equal(program.call("fd_fdstat_get", fd, RESULT), "SUCCESS");
    assert.equal(program.call("fd_close", fd), "SUCCESS");
    return program.view.getUint8(RESULT);
  };
  const { DIRECTORY, REGULAR_FILE } = FILETYPE;
  vfs.fs.statSync("/box/d");
  assert.equal(typeOf("f"), REGULAR_FILE);
  assert.equal(typeOf("d", { oflags: OFLAG.DIRECTORY }), DIRECTORY);
  assert.equal(typeOf("new", { oflags: OFLAG.CREAT }), REGULAR_FILE);
  vfs.fs.statSync("/box/d");
  assert.equal(typeOf("new", { oflags: OFLAG.TRUNC }), REGULAR_FILE);
});
