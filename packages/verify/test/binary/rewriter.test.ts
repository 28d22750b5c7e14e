/** The rewriter on small modules: each access is reported, and the module does what it did. */
import assert from "node:assert/strict";
import { test } from "node:test";
import binaryen from "binaryen";
import { instrument, type Site } from "../../dist/binary/instrument.js";
import { defined } from "../../dist/support/defined.js";

/** A small module from text: as it is, and instrumented. */
function small(body: string): { plain: Uint8Array<ArrayBuffer>; bytes: Uint8Array<ArrayBuffer>; sites: Site[] } {
  const module = binaryen.parseText(`(module (import "env" "memory" (memory 1 2 shared)) ${body})`);
  module.setFeatures(binaryen.Features.All);
  assert.ok(module.validate());
  const plain = Uint8Array.from(module.emitBinary());
  module.dispose();
  return { plain, ...instrument(plain, { accesses: true }) };
}

/** What an access reported: its site, its address, and numbers by its kind. */
type Report = number[];
type RunModule = (n: number) => unknown;

/** An instance of such a module, whose reports go to `seen`; `run` is the function that it exports as "f". */
function instantiate(bytes: Uint8Array<ArrayBuffer>, seen: Report[] = []): { run: RunModule; words: Uint8Array } {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  const words = new Uint8Array(memory.buffer);
  for (let i = 0; i < words.length; i++) words[i] = (i * 37) & 0xff;
  const report = (...args: Report) => void seen.push(args);
  const imports = { env: { memory }, verify: { access: report, store: report, range: report } };
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports;
  assert.ok(typeof f === "function");
  return { run: (n) => f(n), words };
}

const WIDTHS = { i32: [32, 8, 16], i64: [64, 8, 16, 32] };

interface Access {
  op: string;
  kind: "load" | "store" | "rmw" | "cmpxchg";
  /** Bytes. */
  size: number;
  /** Type of the operand. */
  type: "i32" | "i64" | "f32" | "f64";
}

/** All loads, stores and read-modify-writes of WebAssembly. */
function everyAccess(): Access[] {
  const out: Access[] = [];
  for (const type of ["f32", "f64"] as const) {
    const size = type === "f32" ? 4 : 8;
    out.push({ op: `${type}.load`, kind: "load", size, type }, { op: `${type}.store`, kind: "store", size, type });
  }
  for (const type of ["i32", "i64"] as const) {
    for (const bits of WIDTHS[type]) {
      const [size, own] = [bits / 8, type === `i${bits}`];
      const narrow = own ? "" : bits;
      for (const sign of own ? [""] : ["_s", "_u"])
        out.push({ op: `${type}.load${narrow}${sign}`, kind: "load", size, type });
      out.push({ op: `${type}.store${narrow}`, kind: "store", size, type });
      const u = own ? "" : "_u";
      out.push({ op: `${type}.atomic.load${narrow}${u}`, kind: "load", size, type });
      out.push({ op: `${type}.atomic.store${narrow}`, kind: "store", size, type });
      for (const rmw of ["add", "sub", "and", "or", "xor", "xchg", "cmpxchg"]) {
        const kind = rmw === "cmpxchg" ? "cmpxchg" : "rmw";
        out.push({ op: `${type}.atomic.rmw${narrow}.${rmw}${u}`, kind, size, type });
      }
    }
  }
  return out;
}

for (const { op, kind, size, type } of everyAccess()) {
  test(`${op} is reported with its address, size and value, and its result is the same`, () => {
    const value = { i32: "0x89abcdef", i64: "0x89abcdef12345678", f32: "1.5", f64: "-1.0000001" }[type];
    const operands = { load: 0, store: 1, rmw: 1, cmpxchg: 2 }[kind];
    const args = `(local.get 0)${` (${type}.const ${value})`.repeat(operands)}`;
    const result = kind === "store" ? "" : `(result ${type})`;
    const { bytes, sites, plain } = small(`(func (export "f") (param i32) ${result} (${op} offset=520 ${args}))`);
    const seen: Report[] = [];
    const [a, b] = [instantiate(plain), instantiate(bytes, seen)];
    assert.deepEqual(b.run(8000), a.run(8000));
    assert.deepEqual(b.words, a.words);
    assert.equal(sites.length, 1);
    const { atomic, ...site } = defined(sites[0], "site");
    assert.deepEqual({ op: site.op, kind: site.kind, size: site.size }, { op, kind, size });
    assert.equal(atomic, op.includes("atomic"));
    assert.equal(seen.length, 1);
    const [id, address, low = 0, high = 0] = defined(seen[0], "report");
    assert.deepEqual([id, address], [0, 8520]);
    if (kind !== "store") return;
    const stored = new DataView(new ArrayBuffer(8));
    stored.setInt32(0, low, true);
    stored.setInt32(4, high, true);
    assert.deepEqual(new Uint8Array(stored.buffer).slice(0, size), Uint8Array.from(a.words.slice(8520, 8520 + size)));
  });
}

test("wait, notify, fill, copy, grow and size are reported with their operands", () => {
  const { bytes, sites } = small(`(func (export "f") (param i32) (result i32)
    (drop (memory.atomic.notify offset=4 (local.get 0) (i32.const 1)))
    (drop (memory.atomic.wait32 offset=8 (local.get 0) (i32.const 1) (i64.const 0)))
    (drop (memory.atomic.wait64 offset=16 (local.get 0) (i64.const 1) (i64.const 0)))
    (memory.fill (i32.const 100) (i32.const 9) (i32.const 10))
    (memory.copy (i32.const 200) (i32.const 100) (i32.const 5))
    (drop (memory.grow (i32.const 1)))
    (memory.size))`);
  const seen: Report[] = [];
  const { run: call, words } = instantiate(bytes, seen);
  assert.equal(call(800), 2);
  assert.deepEqual(
    sites.map(({ kind }) => kind),
    ["notify", "wait", "wait", "fill", "copy", "grow", "size"],
  );
  assert.deepEqual(seen, [
    [0, 804],
    [1, 808],
    [2, 816],
    [3, 100, 9, 10],
    [4, 200, 100, 5],
    [5, 1],
    [6, 0],
  ]);
  assert.deepEqual([...words.slice(200, 206)], [9, 9, 9, 9, 9, (205 * 37) & 0xff]);
});

test("the rewriter keeps control flow: branches, tables, typed blocks, several results, select, loops, calls", () => {
  const { bytes, plain } = small(`
    (func $two (param i32) (result i32 i64) (i32.load (local.get 0)) (i64.load (local.get 0)))
    (func (export "f") (param $n i32) (result i32) (local $sum i32)
      (loop $again
        (block $c (block $b (block $a
          (br_table $a $b $c (i32.rem_u (local.get $n) (i32.const 4))))
          (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 64)))) (br $c))
          (i32.store (i32.const 64) (i32.add (local.get $sum) (local.get $n))))
        (block (result i32 i64) (call $two (local.get $n)))
        (drop)
        (local.set $sum (i32.xor (local.get $sum)))
        (if (result i32) (i32.and (local.get $n) (i32.const 1))
          (then (i32.load16_u (local.get $n))) (else (i32.load8_s (local.get $n))))
        (local.set $sum (i32.add (local.get $sum)))
        (local.set $sum (select (local.get $sum) (i32.const 7) (i32.ne (local.get $n) (i32.const 5))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (i32.gt_s (local.get $n) (i32.const 0))))
      (local.get $sum))`);
  const [a, b] = [instantiate(plain), instantiate(bytes)];
  for (const n of [1, 2, 3, 4, 5, 17, 100]) assert.equal(b.run(n), a.run(n));
  assert.deepEqual(b.words, a.words);
});

test("an instruction or a section that the rewriter does not know is an error", () => {
  const simd = `(func (export "f") (drop (v128.load (i32.const 0))))`;
  assert.throws(() => small(simd), /unknown opcode 0xfd/);
  const table = `(table 1 funcref) (func $g) (elem (i32.const 0) $g)`;
  assert.throws(() => small(table), /section 4 is not handled/);
  assert.throws(() => instrument(Uint8Array.of(1, 2, 3)), /wasm/);
});
