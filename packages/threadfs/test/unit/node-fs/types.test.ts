/**
 * The types of the asynchronous forms are assignable to those of `node:fs`: a program that takes Node's takes a tree's. This file fails when it
 * is compiled. The synchronous calls are held by `FsCalls` (support/fs-calls.ts).
 */
import assert from "node:assert/strict";
import type * as NodeFs from "node:fs";
import { test } from "node:test";
import { createVfs, type FileHandle, type FsCallbacks, type FsPromises, type Vfs } from "../../../dist/src/index.js";

type Theirs = typeof NodeFs;
/** Node's types have a namespace at each call, for promisify(), which is not part of the call. */
type Promisified<K extends keyof Theirs> = Pick<Theirs[K], keyof Theirs[K] & "__promisify__">;
type Callbacks = { [K in keyof FsCallbacks & keyof Theirs]: FsCallbacks[K] & Promisified<K> };
type Natives = { realpath: { native: Promisified<"realpath"> }; readFile: unknown };

/** Does not run: it compiles, or not. */
export function callbacksAreNodes(ours: Callbacks & Natives): Pick<Theirs, keyof Callbacks> {
  return ours;
}

/** Promises that a tree has not yet, or Node's types of this version have not. */
type NotThere = "watch" | "glob";

export function promisesAreNodes(
  ours: FsPromises,
): Omit<Theirs["promises"], NotThere | "open" | "constants" | "readFile" | "writeFile" | "appendFile"> {
  return ours;
}

type NodeHandle = NodeFs.promises.FileHandle;
type NotOfHandle =
  | "createReadStream"
  | "createWriteStream"
  | "readableWebStream"
  | "readLines"
  | "read"
  | keyof NodeJS.EventEmitter;

export function handlesAreNodes(ours: FileHandle): Omit<NodeHandle, NotOfHandle> {
  return ours;
}

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
