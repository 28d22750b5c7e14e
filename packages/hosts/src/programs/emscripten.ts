/**
 * What a program of Emscripten asks of its file system, in every host, by an FS of a few lines: packages/programs has real programs in Node, and
 * php/page.ts one in a page.
 */
import type { Vfs } from "threadfs";
import { fileLocks, threadfs } from "threadfs/emscripten";
import { expect } from "./scenario.js";

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
