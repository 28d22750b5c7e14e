/**
 * The types of the asynchronous forms are assignable to those of `node:fs`: a program that takes Node's takes a tree's. This file fails when it
 * is compiled. The synchronous calls are held by `FsCalls` (support/fs-calls.ts).
 */
import assert from "node:assert/strict";
import type * as NodeFs from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import {
  createVfs,
  type FileHandle,
  type Fs,
  type FsCallbacks,
  type FsPromises,
  type Vfs,
} from "../../../dist/src/index.js";

type Theirs = typeof NodeFs;

/** Does not run: it compiles, or not. So do the forms that promisify() makes of the calls. */
export function callbacksAreNodes(ours: FsCallbacks): Pick<Theirs, keyof FsCallbacks & keyof Theirs> {
  return ours;
}

/** The names of what `node:fs` exports whose types are not those of a tree, or which a tree does not have. */
type Odd<T, O> = { [K in keyof T]: K extends keyof O ? (O[K] extends T[K] ? never : K) : K }[keyof T];

/** True if both have the same members. */
type Same<A, B> = [A, B] extends [B, A] ? true : false;

type NodeHandle = NodeFs.promises.FileHandle;

/** Compiles as long as every other export, promise and method is of Node's type: each name that is here has its reason. */
export const namedReasons: [
  exports: Same<
    Exclude<Odd<Theirs, Fs>, "default">,
    // Classes and constants of the tree's own; what Node's types have and node:fs has not; what has no value on Linux; the next list.
    "Stats" | "Dirent" | "Dir" | "constants" | "StatsFs" | "lchmod" | "lchmodSync" | "promises"
  >,
  // They take or return the tree's own FileHandle, or encodings and options that Node's types of this version do not name.
  promises: Same<
    Odd<Theirs["promises"], FsPromises>,
    "open" | "readFile" | "writeFile" | "appendFile" | "watch" | "constants"
  >,
  // Streams of the tree's own classes, and of the web's types in place of those of node:stream/web.
  handles: Same<Odd<NodeHandle, FileHandle>, "createReadStream" | "readableWebStream">,
] = [true, true, true];

/** Does not run. */
export function watchersAreNodes({ fs }: Vfs): NodeFs.StatWatcher[] {
  return [
    fs.watchFile("/f", ({ size }, previous) => size - previous.size),
    fs.watchFile("/f", { interval: 5, persistent: false }, ({ size }) => size + 1),
    fs.watchFile("/f", { bigint: true }, ({ mtimeNs }) => mtimeNs + 1n),
    // @ts-expect-error: without the option there are numbers.
    fs.watchFile("/f", { interval: 5 }, ({ mtimeNs }) => mtimeNs),
  ];
}

test("results have the types of the options", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  const { promises } = vfs.fs;
  await promises.writeFile("/f", "text");
  const text: string = await promises.readFile("/f", "utf8");
  const size: bigint = (await promises.stat("/f", { bigint: true })).size;
  const names: string[] = await promises.readdir("/");
  // @ts-expect-error: without an encoding there are bytes.
  const wrong: string = await promises.readFile("/f");
  assert.deepEqual([text, size, names, typeof wrong], ["text", 4n, ["f"], "object"]);
  vfs.close();
});

test("what promisify() makes of the calls has the types of its results", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  const { fs } = vfs;
  fs.writeFileSync("/f", "text");
  const exists: boolean = await promisify(fs.exists)("/f");
  const text: string = await promisify(fs.readFile)("/f", "utf8");
  const { mtimeNs } = await promisify(fs.stat)("/f", { bigint: true });
  const fd: number = await promisify(fs.open)("/f", "r+");
  const read = await promisify(fs.read)(fd, Buffer.alloc(4), 0, 4, 0);
  const first: number | undefined = read.buffer[0];
  const { bytesRead, buffers } = await promisify(fs.readv)(fd, [new Uint8Array(2)], 0);
  const { bytesWritten } = await promisify(fs.write)(fd, "more", 4);
  const written = await promisify(fs.writev)(fd, [new Uint8Array(2)], 8);
  await promisify(fs.close)(fd);
  assert.deepEqual([exists, text, typeof mtimeNs, read.bytesRead, first], [true, "text", "bigint", 4, 0x74]);
  assert.deepEqual([bytesRead, buffers.length, bytesWritten, written.bytesWritten], [2, 1, 4, 2]);
  vfs.close();
});

test("a FileHandle has the types of its events and its lines", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  vfs.fs.writeFileSync("/f", "one\ntwo\n");
  const handle: FileHandle = await vfs.fs.promises.open("/f");
  let closed = 0;
  handle.addListener("close", () => closed++).once("close", () => closed++);
  assert.equal(handle.listenerCount("close"), 2);
  const id: number = handle.getAsyncId();
  const lines: string[] = [];
  for await (const line of handle.readLines()) lines.push(line);
  await handle.close();
  assert.deepEqual([lines, closed, id], [["one", "two"], 2, -1]);
  vfs.close();
});
