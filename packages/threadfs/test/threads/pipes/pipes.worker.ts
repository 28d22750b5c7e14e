/** One end of a pipe: sends, echoes or writes records by synchronous calls, and posts what has come of it. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type FsSync, type VfsHandle } from "../../../dist/src/index.js";

export interface PipesWorkerData {
  readonly handle: VfsHandle;
  readonly role: "ping" | "pong" | "records" | "send" | "receive" | "hold";
  /** FIFOs: what the thread reads from, and what it writes to. */
  readonly from: string;
  readonly to: string;
  readonly id: number;
  readonly rounds: number;
}

const { handle, role, from, to, id, rounds } = workerData as PipesWorkerData;
const vfs = await attachVfs(handle, { closeOnExit: true });
const fs: FsSync = vfs.fs;

/** Reads all of a message. */
function readAll(fd: number, into: Buffer): boolean {
  for (let done = 0; done < into.length; ) {
    const got = fs.readSync(fd, into, done, into.length - done, null);
    if (got === 0) return false;
    done += got;
  }
  return true;
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done, bytes.length - done);
}

/** Sends numbers and takes them back. */
function ping(): number {
  const output = fs.openSync(to, "w");
  const input = fs.openSync(from, "r");
  const message = Buffer.alloc(8);
  for (let n = 0; n < rounds; n++) {
    message.writeDoubleLE(n);
    writeAll(output, message);
    if (!readAll(input, message) || message.readDoubleLE() !== n + 0.5) throw new Error(`round ${n}`);
  }
  return rounds;
}

function pong(): number {
  const input = fs.openSync(from, "r");
  const output = fs.openSync(to, "w");
  const message = Buffer.alloc(8);
  let n = 0;
  for (; readAll(input, message); n++) {
    message.writeDoubleLE(message.readDoubleLE() + 0.5);
    writeAll(output, message);
  }
  return n;
}

/** Writes records of many lengths: the length, the thread and its number of the record, then bytes of the thread's own. */
function records(): number {
  const output = fs.openSync(to, "w");
  let sum = 0;
  for (let n = 0; n < rounds; n++) {
    const length = 12 + ((n * 997 + id * 31) % 4085);
    const record = Buffer.alloc(length, id + 1);
    record.writeUInt32LE(length, 0);
    record.writeUInt32LE(id, 4);
    record.writeUInt32LE(n, 8);
    const wrote = fs.writeSync(output, record);
    if (wrote !== length) throw new Error(`wrote ${wrote} of ${length} bytes`);
    sum += length;
  }
  return sum;
}

/** A long message in one call. */
function send(): number {
  const bytes = Buffer.alloc(1 << 20);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7) >> 3;
  const fd = fs.openSync(to, "w");
  for (let n = 0; n < rounds; n++) writeAll(fd, bytes);
  return rounds * bytes.length;
}

function receive(): number {
  const fd = fs.openSync(from, "r");
  const bytes = Buffer.alloc(100_000);
  let sum = 0;
  for (let got = fs.readSync(fd, bytes); got > 0; got = fs.readSync(fd, bytes)) {
    for (let i = 0; i < got; i += 911) {
      if (bytes[i] !== ((((sum + i) % (1 << 20)) * 7) >> 3) % 256) throw new Error(`byte ${sum + i}`);
    }
    sum += got;
  }
  return sum;
}

/** Writes a little and keeps its ends until it is terminated. */
function hold(): number {
  const fd = fs.openSync(to, "w");
  fs.writeSync(fd, "before the end");
  return fd;
}

const result = { ping, pong, records, send, receive, hold }[role]();
parentPort?.postMessage(result);
if (role === "hold") setInterval(() => {}, 1000);
else vfs.close();
