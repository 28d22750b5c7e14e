/**
 * Programs in WebAssembly on the tree, in every host. The one of WASI makes a directory, and exits; it is so small that it is written here in bytes. Of
 * Emscripten there is what a program's FS asks of a file system, by an FS of a few lines: packages/programs has real programs, which run in Node alone.
 */
import type { Vfs } from "threadfs";
import { fileLocks, threadfs } from "threadfs/emscripten";
import { createWasi } from "threadfs/wasi";
import { expect } from "./scenario.js";

const text = (value: string): number[] => [value.length, ...new TextEncoder().encode(value)];
const section = (id: number, items: readonly number[][]): number[] => {
  const body = [items.length, ...items.flat()];
  return [id, body.length, ...body];
};
const [I32, CODE] = [0x7f, 7];
/** WASI's number. */
const EEXIST = 20;

/** `_start` calls path_create_directory(3, "made"), and exits with CODE and the error. */
const PROGRAM = new Uint8Array([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [
    [0x60, 3, I32, I32, I32, 1, I32],
    [0x60, 1, I32, 0],
    [0x60, 0, 0],
  ]),
  ...section(2, [
    [...text("wasi_snapshot_preview1"), ...text("path_create_directory"), 0, 0],
    [...text("wasi_snapshot_preview1"), ...text("proc_exit"), 0, 1],
  ]),
  ...section(3, [[2]]),
  ...section(5, [[0, 1]]),
  ...section(7, [
    [...text("memory"), 2, 0],
    [...text("_start"), 0, 2],
  ]),
  ...section(10, [[15, 0, 0x41, 3, 0x41, 0, 0x41, 4, 0x10, 0, 0x41, CODE, 0x6a, 0x10, 1, 0x0b]]),
  ...section(11, [[0, 0x41, 0, 0x0b, ...text("made")]]),
]);

/** Runs it, once as it is and once where the directory is there. */
export function runProgram(vfs: Vfs): void {
  expect("the exit code of a program", start(vfs), CODE);
  expect("the directory of a program", vfs.fs.statSync("/shared/made").isDirectory(), true);
  expect("the error that it gets", start(vfs), CODE + EEXIST);
  expect("the files that it leaves open", vfs.counters().openFiles, 0);
}

function start(vfs: Vfs): number {
  const wasi = createWasi(vfs, { preopens: { "/": "/shared" } });
  const imports = wasi.getImportObject() as WebAssembly.Imports;
  return wasi.start(new WebAssembly.Instance(new WebAssembly.Module(PROGRAM), imports));
}

/** Numbers of a program of Emscripten. */
const [ENOENT, EAGAIN] = [44, 6];
const [LOCK_EX, LOCK_NB] = [2, 4];
const [S_IFREG, O_RDWR] = [0o100644, 2];

type Call = (...args: unknown[]) => unknown;
type Ops = Record<"lookup" | "mknod" | "open" | "close" | "read" | "write" | "getattr", Call>;

class FSNode {
  parent: FSNode;
  mount: object | undefined;
  node_ops = {} as Ops;
  stream_ops = {} as Ops;

  constructor(
    parent: FSNode | null,
    readonly name: string,
    readonly mode: number,
  ) {
    this.parent = parent ?? this;
    this.mount = parent?.mount;
  }
}

class ErrnoError extends Error {
  constructor(readonly errno: number) {
    super();
  }
}

const unused = (): never => {
  throw new Error("nothing asks for this");
};

/** An FS with the mount as its only one. Returns the root of the mount, and a function that opens a file there. */
function makeFs(vfs: Vfs) {
  const root = Object.assign(new FSNode(null, "/", 0), { mount: {} });
  const FS = { root, streams: [] as object[], FSNode, ErrnoError, open: unused, rename: unused, stat: unused };
  const mount = { opts: { vfs, FS, root: "/shared" }, mountpoint: "/", mounts: [] };
  const mounted = (threadfs.mount as unknown as (mount: object) => FSNode)(mount);
  const open = (node: FSNode) => {
    const stream = { fd: FS.streams.length, node, flags: O_RDWR, position: 0, seekable: true };
    FS.streams.push(stream);
    node.stream_ops.open(stream);
    return stream;
  };
  return { FS, mounted, open };
}

export function useEmscripten(vfs: Vfs): void {
  const { FS, mounted, open } = makeFs(vfs);
  const { node_ops: ops } = mounted;
  let errno: unknown;
  try {
    ops.lookup(mounted, "of a program");
  } catch (error) {
    errno = error instanceof ErrnoError ? error.errno : error;
  }
  expect("the error of a program", errno, ENOENT);
  const first = open(ops.mknod(mounted, "of a program", S_IFREG, 0) as FSNode);
  const second = open(ops.lookup(mounted, "of a program") as FSNode);
  const memory = new Int8Array(1000);
  memory.fill(7, 100, 500);
  // Few bytes take another way than many.
  for (const length of [3, 400]) {
    expect("bytes written", first.node.stream_ops.write(first, memory, 100, length, 0), length);
    expect("bytes read", second.node.stream_ops.read(second, memory, 500, 500, 0), length);
    expect("the last one", memory[500 + length - 1], 7);
  }
  const locks = fileLocks({ FS, memory: () => memory.buffer });
  expect("a lock", locks.flock(first.fd, LOCK_EX), 0);
  expect("a lock that another one has", locks.flock(second.fd, LOCK_EX | LOCK_NB), -EAGAIN);
  for (const stream of [first, second]) stream.node.stream_ops.close(stream);
  expect("the files that a program leaves open", vfs.counters().openFiles, 0);
  vfs.fs.unlinkSync("/shared/of a program");
}
