/** A program of WASI on the tree, in every host: it makes a directory, and exits. It is so small that it is written here in bytes. */
import type { Vfs } from "threadfs";
import { createWasi } from "threadfs/wasi";
import { createPreview2 } from "threadfs/wasi-preview2";
import { expect } from "../scenario.js";
import { HEADER, I32, section, text } from "./encode.js";

const CODE = 7;
/** WASI's number. */
const EEXIST = 20;

/** `_start` calls path_create_directory(3, "made"), and exits with CODE and the error. */
const PROGRAM = new Uint8Array([
  ...HEADER,
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
  useComponent(vfs);
}

/** What a component does with a file. */
function useComponent(vfs: Vfs): void {
  const { filesystem, close } = createPreview2(vfs, { preopens: { "/": "/shared" } });
  for (const [dir] of filesystem.preopens.getDirectories()) {
    const file = dir.openAt({}, "made/f", { create: true }, { read: true, write: true });
    file.appendViaStream().blockingWriteAndFlush(new Uint8Array([1, 2]));
    expect("the bytes that a component reads", file.readViaStream(1n).read(9n).length, 1);
    expect("its files", dir.statAt({}, "made/f").type, "regular-file");
    dir.unlinkFileAt("made/f");
  }
  close();
  expect("the files that a component leaves open", vfs.counters().openFiles, 0);
}

function start(vfs: Vfs): number {
  const wasi = createWasi(vfs, { preopens: { "/": "/shared" } });
  const imports = wasi.getImportObject() as WebAssembly.Imports;
  return wasi.start(new WebAssembly.Instance(new WebAssembly.Module(PROGRAM), imports));
}
