/**
 * Random writes, reads, truncations and appends on one file through several descriptors, against plain bytes and
 * against node:fs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Target } from "../conformance/support/targets.js";
import type { FsCalls } from "../support/fs-calls.js";
import { asReply } from "../support/oracle/oracle.js";
import { check, codeOr, useSides } from "./support.js";

/** Offsets and lengths are near the edges of pages and of what one system call transfers. */
const near = (edges: readonly number[], spread: number) =>
  fc
    .tuple(fc.constantFrom(...edges), fc.integer({ min: -spread, max: spread }))
    .map(([edge, by]) => Math.max(0, edge + by));

const offset = near([0, 0, 100, 4096, 8192, 65536, 131072], 20);
const length = fc.oneof(near([0, 0, 10, 4096], 12), near([65536], 3));

const operation = fc.record({
  kind: fc.constantFrom(
    "write",
    "write",
    "writeHere",
    "append",
    "read",
    "readHere",
    "truncate",
    "unlinkAndGoOn",
    "stat",
    "whole",
  ),
  fd: fc.constantFrom(0, 1, 2),
  offset,
  length,
  fill: fc.integer({ min: 1, max: 255 }),
});

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

const operations = fc.array(operation, { minLength: 1, maxLength: 40, size: "max" });

/** The file as plain bytes, a position for each descriptor. Descriptor 2 was opened to append. */
class Model {
  bytes = new Uint8Array(0);
  positions: [number, number, number] = [0, 0, 0];

  resize(size: number): void {
    const next = new Uint8Array(size);
    next.set(this.bytes.subarray(0, size));
    this.bytes = next;
  }

  write(at: number, data: Uint8Array): void {
    if (data.length === 0) return;
    if (at + data.length > this.bytes.length) this.resize(at + data.length);
    this.bytes.set(data, at);
  }

  read(at: number, count: number): Uint8Array {
    return this.bytes.slice(at, at + count);
  }
}

/** Each byte differs from the next, so that a shift by one shows. */
function dataOf({ length, fill }: Operation): Buffer {
  const data = Buffer.alloc(length);
  for (let n = 0; n < length; n++) data[n] = fill + n * 3;
  return data;
}

const onModel: Record<Operation["kind"], (model: Model, op: Operation) => unknown> = {
  write: (model, op) => {
    const data = dataOf(op);
    model.write(op.fd === 2 ? model.bytes.length : op.offset, data);
    return data.length;
  },
  writeHere: (model, op) => {
    const data = dataOf(op);
    const at = op.fd === 2 ? model.bytes.length : model.positions[op.fd];
    model.write(at, data);
    model.positions[op.fd] = data.length ? at + data.length : model.positions[op.fd];
    return data.length;
  },
  append: (model, op) => {
    model.write(model.bytes.length, dataOf(op));
  },
  read: (model, op) => Buffer.from(model.read(op.offset, op.length)).toString("latin1"),
  readHere: (model, op) => {
    const got = model.read(model.positions[op.fd], op.length);
    model.positions[op.fd] += got.length;
    return Buffer.from(got).toString("latin1");
  },
  truncate: (model, op) => model.resize(op.offset),
  unlinkAndGoOn: () => undefined,
  stat: (model) => model.bytes.length,
  whole: (model) => Buffer.from(model.bytes).toString("latin1"),
};

interface OpenFile {
  readonly path: string;
  readonly fds: readonly [number, number, number];
  /** A descriptor that writeFileSync appends to. */
  readonly appender: number;
}

const onFile: Record<Operation["kind"], (fs: FsCalls, file: OpenFile, op: Operation) => unknown> = {
  write: (fs, file, op) => fs.writeSync(file.fds[op.fd], dataOf(op), 0, op.length, op.offset),
  writeHere: (fs, file, op) => fs.writeSync(file.fds[op.fd], dataOf(op)),
  append: (fs, file, op) => fs.writeFileSync(file.appender, dataOf(op)),
  read: (fs, file, op) => {
    const buffer = Buffer.alloc(op.length);
    return buffer.toString("latin1", 0, fs.readSync(file.fds[op.fd], buffer, 0, op.length, op.offset));
  },
  readHere: (fs, file, op) => {
    const buffer = Buffer.alloc(op.length);
    return buffer.toString("latin1", 0, fs.readSync(file.fds[op.fd], buffer, 0, op.length, null));
  },
  truncate: (fs, file, op) => fs.ftruncateSync(file.fds[op.fd], op.offset),
  unlinkAndGoOn: (fs, file) => {
    if (fs.existsSync(file.path)) fs.unlinkSync(file.path);
  },
  stat: (fs, file) => fs.fstatSync(file.fds[0]).size,
  whole: (fs, file) => {
    const { size } = fs.fstatSync(file.fds[0]);
    const buffer = Buffer.alloc(size + 10);
    return buffer.toString("latin1", 0, fs.readSync(file.fds[0], buffer, 0, size + 10, 0));
  },
};

function open(fs: FsCalls, path: string): OpenFile {
  const fds = [fs.openSync(path, "w+"), fs.openSync(path, "r+"), fs.openSync(path, "a+")] as const;
  return { path, fds, appender: fs.openSync(path, "a") };
}

/** What each operation returns, or the code of its error. */
function play({ fs }: Target, dir: string, list: readonly Operation[]) {
  const file = open(fs, `${dir}/f`);
  try {
    return list.map((op) => codeOr(() => onFile[op.kind](fs, file, op)));
  } finally {
    for (const fd of [...file.fds, file.appender]) fs.closeSync(fd);
  }
}

const sides = useSides(import.meta.url, { play });

test("random calls leave a file with the contents that the model and the kernel have", async (t) => {
  const property = fc.asyncProperty(operations, async (list) => {
    const { kernel, ours } = await sides.inFresh("play", list);
    const model = new Model();
    for (const [n, op] of list.entries()) {
      const expected = asReply({ value: onModel[op.kind](model, op) });
      const where = `operation ${n}: ${JSON.stringify(op)}`;
      assert.deepEqual(kernel[n], expected, `node:fs, ${where}`);
      assert.deepEqual(ours[n], expected, where);
    }
  });
  await check(t, property, 120);
});
