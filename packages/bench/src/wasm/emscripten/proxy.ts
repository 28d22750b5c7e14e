// A file system that sends each read to the main thread and waits for it, as Emscripten does for a program's threads: the caller sleeps in Atomics.wait(),
// the main thread is woken in its event loop by Atomics.waitAsync(). All other calls are answered in the worker, in favour of the proxy.

import { FILE_SIZE, type ProgramFs, type ProgramNode, type Stream } from "./program.js";

/** Words: how many reads were asked for, how many are done; length, position. The bytes follow. */
const ASKED = 0;
const DONE = 1;
const LENGTH = 2;
const POSITION = 3;
const BYTES = 64;

const S_IFREG = 0o100644;
const S_IFDIR = 0o040755;

export function makeChannel(): SharedArrayBuffer {
  return new SharedArrayBuffer(BYTES + 65_536);
}

/** The worker's side: a type for FS.mount(). */
export function proxyType(FS: ProgramFs, channel: SharedArrayBuffer): object {
  const words = new Int32Array(channel, 0, BYTES / 4);
  const bytes = new Uint8Array(channel, BYTES);
  const streamOps = {
    read(_stream: Stream, buffer: Int8Array, offset: number, length: number, position: number): number {
      words[LENGTH] = Math.min(length, bytes.length);
      words[POSITION] = position;
      const asked = Atomics.add(words, ASKED, 1) + 1;
      Atomics.notify(words, ASKED);
      while (Atomics.load(words, DONE) !== asked) Atomics.wait(words, DONE, asked - 1);
      const got = words[LENGTH] as number;
      buffer.set(new Int8Array(channel, BYTES, got), offset);
      return got;
    },
    llseek: (stream: Stream, offset: number, whence: number): number =>
      offset + ([0, stream.position, FILE_SIZE][whence] ?? 0),
  };
  const nodeOps = {
    lookup: (parent: ProgramNode, name: string): ProgramNode => make(parent, name, S_IFREG),
    getattr(node: ProgramNode & { mode: number }): object {
      const [time, size] = [new Date(0), node.mode === S_IFREG ? FILE_SIZE : 0];
      const ids = { dev: 1, ino: 1, nlink: 1, uid: 0, gid: 0, rdev: 0, blksize: 4096, blocks: 0 };
      return { ...ids, mode: node.mode, size, atime: time, mtime: time, ctime: time };
    },
  };
  const make = (parent: ProgramNode | null, name: string, mode: number): ProgramNode =>
    Object.assign(FS.createNode(parent, name, mode, 0), { node_ops: nodeOps, stream_ops: streamOps });
  return { mount: () => make(null, "/", S_IFDIR) };
}

/** The main thread's side: answers until it is stopped. */
export async function serveProxy(FS: ProgramFs, channel: SharedArrayBuffer, isStopped: () => boolean): Promise<void> {
  const words = new Int32Array(channel, 0, BYTES / 4);
  const bytes = new Uint8Array(channel, BYTES);
  const file = FS.open("/data/file", "r");
  for (let seen = 0; ; ) {
    const waiting = Atomics.waitAsync(words, ASKED, seen);
    if (waiting.async) await waiting.value;
    if (isStopped()) return;
    seen = Atomics.load(words, ASKED);
    words[LENGTH] = FS.read(file, bytes, 0, words[LENGTH] as number, words[POSITION] as number);
    Atomics.store(words, DONE, seen);
    Atomics.notify(words, DONE);
  }
}

/** Wakes the main thread's side, to see that it is stopped. */
export function wakeProxy(channel: SharedArrayBuffer): void {
  Atomics.notify(new Int32Array(channel), ASKED);
}
