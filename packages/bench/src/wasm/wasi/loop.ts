// A program of WASI that opens a file, reads it and closes it, again and again. It is so small that it is written here in bytes.
import type { Context, Vfs } from "threadfs";
import { createWasi, type WasiImports } from "threadfs/wasi";

/** The file, from the program's directory on. */
export const DEEP = "dir/sub/file";

/** Makes so many turns. Returns 0, or which of the three calls has failed. */
export type Run = (turns: number) => number;

const I32 = 0x7f;
const I64 = 0x7e;
/** Addresses of results, of the vector of buffers, of the path and the buffer. */
const [FD, GOT, VECTOR, PATH, BUFFER, LENGTH] = [0, 8, 16, 1024, 2048, 64];

/** A number as signed LEB128. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; ) {
    const byte = left & 0x7f;
    left >>= 7;
    const isLast = (left === 0 && (byte & 0x40) === 0) || (left === -1 && (byte & 0x40) !== 0);
    bytes.push(isLast ? byte : byte | 0x80);
    if (isLast) return bytes;
  }
}

/** A length, which is not negative. */
function size(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...size(value >>> 7)];
}

const text = (value: string): number[] => [...size(value.length), ...Buffer.from(value)];
const list = (items: readonly number[][]): number[] => [...size(items.length), ...items.flat()];
const section = (id: number, items: readonly number[][]): number[] => {
  const body = list(items);
  return [id, ...size(body.length), ...body];
};
const i32 = (value: number): number[] => [0x41, ...leb(value)];
const i64 = (value: number): number[] => [0x42, ...leb(value)];
const load = (address: number): number[] => [...i32(address), 0x28, 2, 0];
/** A call whose error ends the program with a number. */
const call = (index: number, args: number[][], failed: number): number[] => [
  ...args.flat(),
  ...[0x10, index, 0x04, 0x40],
  ...i32(failed),
  ...[0x0f, 0x0b],
];

function program(): WebAssembly.Module {
  const type = (parameters: number[]) => [0x60, ...list(parameters.map((one) => [one])), 1, I32];
  const types = [type([I32, I32, I32, I32, I32, I64, I64, I32, I32]), type([I32, I32, I32, I32]), type([I32])];
  const imports = ["path_open", "fd_read", "fd_close"].map((name, n) => [
    ...text("wasi_snapshot_preview1"),
    ...text(name),
    ...[0, n],
  ]);
  const open = [i32(3), i32(1), i32(PATH), i32(DEEP.length), i32(0), i64(2), i64(0), i32(0), i32(FD)];
  const body = [
    ...[0, 0x03, 0x40],
    ...call(0, open, 1),
    ...call(1, [load(FD), i32(VECTOR), i32(1), i32(GOT)], 2),
    ...call(2, [load(FD)], 3),
    // One turn less; again unless there is none.
    ...[0x20, 0, ...i32(1), 0x6b, 0x22, 0, 0x0d, 0, 0x0b],
    ...i32(0),
    0x0b,
  ];
  return new WebAssembly.Module(
    new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, types),
      ...section(2, imports),
      ...section(3, [[2]]),
      ...section(5, [[0, 1]]),
      ...section(7, [
        [...text("memory"), 2, 0],
        [...text("run"), 0, 3],
      ]),
      ...section(10, [[...size(body.length), ...body]]),
    ]),
  );
}

/** The program with these imports. `prepare` is given its instance before it is used. */
function instantiate(imports: object, prepare: (instance: WebAssembly.Instance) => void): Run {
  const instance = new WebAssembly.Instance(program(), imports as WebAssembly.Imports);
  const { memory, run } = instance.exports as { memory: WebAssembly.Memory; run: Run };
  const view = new DataView(memory.buffer);
  view.setUint32(VECTOR, BUFFER, true);
  view.setUint32(VECTOR + 4, LENGTH, true);
  new Uint8Array(memory.buffer).set(Buffer.from(DEEP), PATH);
  prepare(instance);
  return run;
}

/** The program on a tree, with its directory there. */
export function treeProgram(tree: Vfs | Context, dir: string): Run {
  const wasi = createWasi(tree, { preopens: { "/": dir } });
  const imports: WasiImports = wasi.getImportObject();
  return instantiate(imports, (instance) => wasi.initialize(instance));
}

/** The program with node:wasi, on a directory of the kernel. */
export async function nodeProgram(dir: string): Promise<Run> {
  const { WASI } = await import("node:wasi");
  const wasi = new WASI({ version: "preview1", preopens: { "/": dir } });
  return instantiate(wasi.getImportObject(), (instance) => wasi.initialize(instance));
}
