/** A program with a thread that works on the tree. It is so small that it is written here in bytes. */
import type { Vfs } from "threadfs";
import { expect } from "../scenario.js";
import { HEADER, I32, section, text } from "./encode.js";

/** `_start` calls thread-spawn until it returns an id, and waits for a change of the word at 16. */
const START = [
  ...[0, 0x03, 0x40, 0x41, 0, 0x10, 0, 0x41, 0, 0x4c, 0x0d, 0, 0x0b],
  ...[0x41, 16, 0x41, 0, 0x42, 0x7f, 0xfe, 0x01, 2, 0, 0x1a, 0x0b],
];
/** The thread calls path_create_directory(3, "made"), adds one to the word, and wakes who waits for it. */
const THREAD = [
  ...[0, 0x41, 3, 0x41, 0, 0x41, 4, 0x10, 1, 0x1a],
  ...[0x41, 16, 0x41, 1, 0xfe, 0x1e, 2, 0, 0x1a, 0x41, 16, 0x41, 1, 0xfe, 0x00, 2, 0, 0x1a, 0x0b],
];
/** Its only preopen has to be empty. */
export const THREADED = new Uint8Array([
  ...HEADER,
  ...section(1, [
    [0x60, 1, I32, 1, I32],
    [0x60, 3, I32, I32, I32, 1, I32],
    [0x60, 0, 0],
    [0x60, 2, I32, I32, 0],
  ]),
  ...section(2, [
    [...text("wasi"), ...text("thread-spawn"), 0, 0],
    [...text("wasi_snapshot_preview1"), ...text("path_create_directory"), 0, 1],
    [...text("env"), ...text("memory"), 2, 3, 1, 1],
  ]),
  ...section(3, [[2], [3]]),
  ...section(7, [
    [...text("_start"), 0, 2],
    [...text("wasi_thread_start"), 0, 3],
  ]),
  ...section(10, [
    [START.length, ...START],
    [THREAD.length, ...THREAD],
  ]),
  ...section(11, [[0, 0x41, 0, 0x0b, ...text("made")]]),
]);

/** The memory that it imports. */
export const newMemory = (): WebAssembly.Memory => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });

/** What is in the tree after the program, whose preopen was /w. */
export function checkMade(vfs: Vfs): void {
  expect("what a thread has made", vfs.fs.readdirSync("/w").join(), "made");
  expect("the files that the program leaves open", vfs.counters().openFiles, 0);
}
