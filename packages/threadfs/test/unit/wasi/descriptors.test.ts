/** threadfs/wasi: numbers that mean no descriptor of the program, in every call that takes one; and paths whose walk begins at one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FD_MAX } from "../../../dist/src/wasi/table.js";
import { boxed, DIR, FSTFLAG, TestProgram } from "./program.js";

const { RESULT } = TestProgram;
/** Where the calls of this test write. */
const ROOM = 3000;

/** Each call that takes a descriptor, with this one in each place; `good` is open. */
function callsWith(fd: number, good: number, vectors: [number, number]): [string, ...unknown[]][] {
  return [
    ["fd_advise", fd, 0n, 1n, 0],
    ["fd_allocate", fd, 0n, 1n],
    ["fd_close", fd],
    ["fd_datasync", fd],
    ["fd_fdstat_get", fd, RESULT],
    ["fd_fdstat_set_flags", fd, 0],
    ["fd_fdstat_set_rights", fd, 0n, 0n],
    ["fd_filestat_get", fd, ROOM],
    ["fd_filestat_set_size", fd, 1n],
    ["fd_filestat_set_times", fd, 0n, 0n, 0],
    ["fd_pread", fd, ...vectors, 0n, RESULT],
    ["fd_prestat_get", fd, RESULT],
    ["fd_prestat_dir_name", fd, ROOM, 10],
    ["fd_pwrite", fd, ...vectors, 0n, RESULT],
    ["fd_read", fd, ...vectors, RESULT],
    ["fd_readdir", fd, ROOM, 100, 0n, RESULT],
    ["fd_renumber", fd, good],
    ["fd_renumber", good, fd],
    ["fd_seek", fd, 0n, 0, RESULT],
    ["fd_sync", fd],
    ["fd_tell", fd, RESULT],
    ["fd_write", fd, ...vectors, RESULT],
    ["path_create_directory", fd, "q"],
    ["path_filestat_get", fd, 1, "f", ROOM],
    ["path_filestat_set_times", fd, 1, "f", 0n, 0n, FSTFLAG.ATIM_NOW],
    ["path_link", fd, 0, "f", DIR, "q"],
    ["path_link", DIR, 0, "f", fd, "q"],
    ["path_open", fd, 1, "f", 0, 2n, 0n, 0, RESULT],
    ["path_readlink", fd, "l", ROOM, 10, RESULT],
    ["path_remove_directory", fd, "d"],
    ["path_rename", fd, "f", DIR, "q"],
    ["path_rename", DIR, "f", fd, "q"],
    ["path_symlink", "x", fd, "q"],
    ["path_unlink_file", fd, "f"],
    ["sock_accept", fd, 0, RESULT],
    ["sock_recv", fd, ...vectors, 0, RESULT, RESULT],
    ["sock_send", fd, ...vectors, 0, RESULT],
    ["sock_shutdown", fd, 0],
  ];
}

test("a closed number, one of the context's other descriptors, one that never was, and none at all are EBADF in every call", async (t) => {
  const { vfs, program } = await boxed(t);
  const foreign = Array.from({ length: 10 }, () => vfs.fs.openSync("/out/secret", "r+")).at(-1) as number;
  const good = program.opened(DIR, "f");
  const closed = program.opened(DIR, "f");
  assert.equal(program.call("fd_close", closed), "SUCCESS");
  const vectors = program.vectors([[ROOM, 4]]);
  const before = JSON.stringify(vfs.toJSON());
  for (const fd of [closed, foreign, FD_MAX - 1, FD_MAX, -1, 0x7fff_ffff]) {
    for (const [name, ...args] of callsWith(fd, good, vectors))
      assert.equal(program.call(name, ...args), "EBADF", `${name}(${args.join()}) on ${fd}`);
  }
  assert.equal(JSON.stringify(vfs.toJSON()), before);
  assert.equal(program.read(good, 4), "0123");
  assert.equal(vfs.fs.readFileSync(foreign, "utf8"), "secret");
});

test("a path is walked in rcu mode from its descriptor on, over links too, and no name of a path is resolved outside of the core", async (t) => {
  const { vfs, program } = await boxed(t);
  vfs.fs.mkdirSync("/box/d/e");
  vfs.fs.writeFileSync("/box/d/e/g", "text");
  vfs.fs.symlinkSync("d/e/../e/g", "/box/l");
  const calls: [string, ...unknown[]][] = [
    ["path_open", DIR, 1, "d/e/g", 0, 2n, 0n, 0, RESULT],
    ["path_open", DIR, 1, "l", 0, 2n, 0n, 0, RESULT],
    ["path_open", DIR, 1, "d/e/../e/g", 0, 2n, 0n, 0, RESULT],
    ["path_filestat_get", DIR, 1, "l", ROOM],
    ["path_readlink", DIR, "l", ROOM, 20, RESULT],
    ["path_filestat_set_times", DIR, 1, "d/e/g", 0n, 0n, FSTFLAG.ATIM_NOW],
  ];
  for (const [name, ...args] of calls) {
    // The first walk over a link leaves rcu mode to set its time of access.
    program.call(name, ...args);
    const before = vfs.counters();
    assert.equal(program.call(name, ...args), "SUCCESS");
    const after = vfs.counters();
    const grown = (key: keyof typeof after) => Number(after[key]) - Number(before[key]);
    const dropped = Object.keys(after).filter(
      (key) => key.startsWith("drop") && grown(key as keyof typeof after) !== 0,
    );
    // What uses the file takes references at the end of the walk.
    const ended = name === "path_filestat_get" ? 0 : 1;
    assert.deepEqual([grown("walks"), grown("endedRef"), dropped], [1, ended, []], `${name} ${args}`);
  }
});

test("a name that is no UTF-8 is taken byte by byte, as the tree and Linux have it", async (t) => {
  const { vfs, program } = await boxed(t);
  const name = Buffer.from([0x61, 0xff, 0xfe]);
  new Uint8Array(program.memory.buffer).set(name, ROOM);
  const { path_create_directory: create, path_remove_directory: remove } = program.calls;
  assert.equal(create?.(DIR, ROOM, name.length), 0);
  assert.deepEqual(vfs.fs.readdirSync("/box", "buffer")[0], name);
  assert.equal(remove?.(DIR, ROOM, name.length), 0);
  assert.deepEqual(vfs.fs.readdirSync("/box"), ["d", "f"]);
});
