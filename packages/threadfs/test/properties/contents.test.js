/**
 * Random writes, reads, truncations and appends on one file through several descriptors, against plain bytes and
 * against node:fs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { check, codeOr, useTargets } from "./support.js";

const targets = await useTargets();

/** Offsets and lengths gather around the edges of pages and of what one call of the core carries. */
const near = (edges, spread) =>
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
  fd: fc.integer({ min: 0, max: 2 }),
  offset,
  length,
  fill: fc.integer({ min: 1, max: 255 }),
});

const operations = fc.array(operation, { minLength: 1, maxLength: 40, size: "max" });

/** The file as plain bytes, a position for each descriptor. Descriptor 2 was opened to append. */
class Model {
  bytes = new Uint8Array(0);
  positions = [0, 0, 0];

  resize(size) {
    const next = new Uint8Array(size);
    next.set(this.bytes.subarray(0, size));
    this.bytes = next;
  }

  write(at, data) {
    if (data.length === 0) return;
    if (at + data.length > this.bytes.length) this.resize(at + data.length);
    this.bytes.set(data, at);
  }

  read(at, count) {
    return this.bytes.slice(at, at + count);
  }
}

/** Different bytes all along, so that a shift by one is seen. */
function dataOf({ length, fill }) {
  const data = Buffer.alloc(length);
  for (let n = 0; n < length; n++) data[n] = fill + n * 3;
  return data;
}

const onModel = {
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

const onFile = {
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

function open(fs, path) {
  const fds = ["w+", "r+", "a+"].map((flags) => fs.openSync(path, flags));
  return { path, fds, appender: fs.openSync(path, "a") };
}

test("random contents equal plain bytes and the kernel's", (t) => {
  const property = fc.property(operations, (list) => {
    const dirs = targets.fresh();
    const [kernel, ours] = targets.both();
    const files = [open(kernel.fs, `${dirs[0]}/f`), open(ours.fs, `${dirs[1]}/f`)];
    const model = new Model();
    try {
      for (const [n, op] of list.entries()) {
        const expected = { value: onModel[op.kind](model, op) };
        const told = `operation ${n}: ${JSON.stringify(op)}`;
        assert.deepEqual(
          codeOr(() => onFile[op.kind](kernel.fs, files[0], op)),
          expected,
          `node:fs, ${told}`,
        );
        assert.deepEqual(
          codeOr(() => onFile[op.kind](ours.fs, files[1], op)),
          expected,
          told,
        );
      }
    } finally {
      for (const [n, target] of targets.both().entries()) {
        for (const fd of [...files[n].fds, files[n].appender]) target.fs.closeSync(fd);
      }
      targets.remove(dirs);
    }
  });
  check(t, property, 120);
});
