import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import binaryen from "binaryen";
import { attach, createMemory, shippingCore } from "../../dist/binary/core.js";
import { instrument } from "../../dist/binary/instrument.js";
import { instruction, Reader, SECTION, sections } from "../../dist/binary/wasm.js";
import { runScript } from "./core-call-sequence.js";

const ARENA = 4 << 20;
const SHIPPING = readFileSync(new URL("../../../threadfs/dist/core.wasm", import.meta.url));

/** Runs the script on a fresh arena; answers what it answered, and the arena's bytes in the end. */
function run(core, hooks = {}) {
  const memory = createMemory({ maxBytes: ARENA });
  const thread = attach(memory, core, hooks, { init: { seed: 42 } });
  const answers = runScript(thread);
  return { thread, answers, arena: Buffer.from(new Uint8Array(memory.buffer, 0, ARENA)).subarray(0, ARENA) };
}

function same(got, want) {
  assert.deepEqual(got.answers, want.answers);
  const at = got.arena.findIndex((byte, i) => byte !== want.arena[i]);
  assert.equal(at, -1, `the arenas differ at ${at}`);
}

let plainRun;
function plain() {
  plainRun ??= run(SHIPPING);
  return plainRun;
}

test("the script reaches what it means to: successes and errors in the plain core", () => {
  const answers = new Map(plain().answers.map(([label, value]) => [label, value]));
  for (const label of [
    "mkdir",
    "stat",
    "rename",
    "exchange",
    "write pages",
    "setacl",
    "mount",
    "bind",
    "umount moved",
  ]) {
    assert.ok(answers.get(label) >= 0, `${label} answered ${answers.get(label)}`);
  }
  assert.equal(answers.get("mkdir again"), -17);
  assert.equal(answers.get("access of none"), -2);
  assert.equal(answers.get("access as a user"), -13);
  assert.equal(answers.get("rmdir of a full one"), -39);
});

test("the instrumented core answers the same and leaves the same bytes", (t) => {
  const core = shippingCore({ accesses: true });
  const reached = new Set();
  const see = (site) => void reached.add(site);
  same(run(core, { access: see, store: see, range: see }), plain());
  t.diagnostic(`${core.sites.length} sites, ${reached.size} of them reached by the script`);
  t.diagnostic(`${SHIPPING.length} bytes before, ${core.bytes.length} after`);
  assert.ok(reached.size > core.sites.length / 2);
});

/**
 * A copy of the memory that is kept up to date from the reports alone: stores by the value reported, copies and fills by
 * their operands. Only of a read-modify-write it takes the outcome from the memory, at the address reported.
 */
class Shadow {
  #pending = undefined;

  constructor(sites) {
    this.sites = sites;
    this.reports = { load: 0, store: 0, rmw: 0, cmpxchg: 0, fill: 0, copy: 0, notify: 0, wait: 0, grow: 0, size: 0 };
  }

  take(thread) {
    this.thread = thread;
    this.bytes = thread.bytes.slice(0, ARENA);
    this.view = new DataView(this.bytes.buffer);
  }

  get hooks() {
    return {
      access: (site, address) => {
        this.settle();
        const { kind, size } = this.#count(site);
        if (kind === "rmw" || kind === "cmpxchg") this.#pending = [address, size];
      },
      store: (site, address, low, high) => {
        this.settle();
        const { kind, size } = this.#count(site);
        assert.equal(kind, "store");
        if (size === 1) this.view.setUint8(address, low);
        else if (size === 2) this.view.setUint16(address, low, true);
        else this.view.setUint32(address, low, true);
        if (size === 8) this.view.setUint32(address + 4, high, true);
        if (size < 4) assert.ok(low < 2 ** (8 * size), "the value reported is wider than the store");
      },
      range: (site, to, from, length) => {
        this.settle();
        const { kind } = this.#count(site);
        if (kind === "fill") this.bytes.fill(from, to, to + length);
        else this.bytes.copyWithin(to, from, from + length);
      },
    };
  }

  #count(site) {
    this.reports[this.sites[site].kind]++;
    return this.sites[site];
  }

  settle() {
    if (this.#pending === undefined) return;
    const [address, size] = this.#pending;
    this.#pending = undefined;
    this.bytes.set(this.thread.bytes.subarray(address, address + size), address);
  }

  /** The script itself writes paths and contents to the scratch area. */
  adopt(from, length) {
    this.bytes.set(this.thread.bytes.subarray(from, from + length), from);
  }

  firstDifference() {
    this.settle();
    const [a, b] = [this.bytes, this.thread.bytes];
    if (Buffer.compare(a, Buffer.from(b.buffer, 0, ARENA)) === 0) return -1;
    return a.findIndex((byte, i) => byte !== b[i]);
  }
}

test("the memory can be rebuilt from the reports: no store is missed, none is told wrong", (t) => {
  const core = shippingCore({ accesses: true });
  const shadow = new Shadow(core.sites);
  const thread = attach(createMemory({ maxBytes: ARENA }), core, shadow.hooks, { init: { seed: 42 } });
  shadow.take(thread);
  let calls = 0;
  const answers = runScript(thread, (name, ...args) => {
    shadow.adopt(thread.scratch, 131072);
    const value = thread.exports[name](...args);
    const at = shadow.firstDifference();
    assert.equal(at, -1, `${name}: the byte at ${at} changed and nobody said so`);
    calls++;
    return value;
  });
  assert.deepEqual(answers, plain().answers);
  t.diagnostic(`${calls} calls, reports: ${JSON.stringify(shadow.reports)}`);
  for (const kind of ["load", "store", "rmw", "cmpxchg", "fill", "copy"]) assert.ok(shadow.reports[kind] > 0, kind);
});

test("a report that is left out is noticed: the test before can fail", () => {
  const core = shippingCore({ accesses: true });
  const victim = core.sites.filter(({ kind, func }) => kind === "store" && func === "hashInsert");
  assert.ok(victim.length > 0);
  const shadow = new Shadow(core.sites);
  const { store } = shadow.hooks;
  const hooks = {
    ...shadow.hooks,
    store: (site, ...rest) => (victim.some(({ id }) => id === site) ? undefined : store(site, ...rest)),
  };
  const thread = attach(createMemory({ maxBytes: ARENA }), core, hooks, { init: { seed: 42 } });
  shadow.take(thread);
  shadow.adopt(thread.scratch, 131072);
  thread.check("sysMkdir", 0, -100, thread.path("/d"), 0o755);
  assert.notEqual(shadow.firstDifference(), -1);
});

/** How often each mnemonic stands in a module's code. */
function countAccesses(bytes) {
  const out = {};
  const { start, end } = sections(bytes).find(({ id }) => id === SECTION.CODE);
  const reader = new Reader(bytes, start, end);
  for (let n = reader.u32(); n > 0; n--) {
    const size = reader.u32();
    const last = reader.pos + size;
    for (let groups = reader.u32(); groups > 0; groups--) {
      reader.u32();
      reader.byte();
    }
    while (reader.pos < last) {
      const op = instruction(reader).access?.op;
      if (op !== undefined) out[op] = (out[op] ?? 0) + 1;
    }
  }
  return out;
}

test("neither rewriting nor asyncify loses or doubles an access", () => {
  const want = countAccesses(SHIPPING);
  const { bytes, sites } = shippingCore({ accesses: true });
  assert.deepEqual(countAccesses(bytes), want);
  assert.equal(
    Object.values(want).reduce((sum, n) => sum + n, 0),
    sites.length,
  );
  const suspending = countAccesses(shippingCore({ accesses: true, asyncify: true }).bytes);
  // Asyncify's own accesses save and restore locals.
  const its = new Set(["i32.load", "i32.store", "i64.load", "i64.store", "f64.load", "f64.store"]);
  for (const [op, n] of Object.entries(want)) {
    if (its.has(op)) assert.ok(suspending[op] >= n, op);
    else assert.equal(suspending[op], n, op);
  }
  for (const op of Object.keys(suspending)) assert.ok(op in want || its.has(op), op);
});

test("suspended and resumed at every access, the core answers the same and leaves the same bytes", (t) => {
  const core = shippingCore({ accesses: true, asyncify: true });
  same(run(core), plain());
  let switches = 0;
  const stop = () => {
    switches++;
    return true;
  };
  same(run(core, { access: stop, store: stop, range: stop }), plain());
  t.diagnostic(`${switches} switches; ${core.bytes.length} bytes`);
  assert.ok(switches > 10_000);
});

test("two threads on one memory, in turns at every access, both make their directories", () => {
  const core = shippingCore({ accesses: true, asyncify: true });
  const memory = createMemory({ maxBytes: ARENA });
  const stop = () => true;
  const slept = [];
  const hooks = () => ({ access: stop, store: stop, range: stop, wait: (address) => void slept.push(address) });
  const threads = [attach(memory, core, hooks(), { init: { seed: 1 } }), attach(memory, core, hooks())];
  for (const [i, thread] of threads.entries()) thread.begin("sysMkdir", 0, -100, thread.path(`/d${i}`), 0o755);
  let turns = 0;
  while (threads.some(({ done }) => !done) && turns < 1e6) {
    const thread = threads[turns++ % 2];
    if (!thread.done) thread.resume();
  }
  assert.deepEqual(
    threads.map(({ done, value }) => [done, value]),
    [
      [true, 0],
      [true, 0],
    ],
  );
  for (const i of [0, 1]) {
    const [asking] = threads;
    assert.equal(asking.call("sysAccess", 0, -100, asking.path(`/d${i}`), 0, 0), 0);
  }
});

test("what can be suspended is only a call that was begun, on a core that can", () => {
  const core = shippingCore({ accesses: true, asyncify: true });
  const thread = attach(createMemory({ maxBytes: ARENA }), core, { access: () => true }, { init: { seed: 1 } });
  assert.throws(() => thread.exports.sysUmask(0, 0), /begin\(\)/);
  assert.throws(() => thread.resume(), /nothing is suspended/);
});

test("an intercepted function answers 0 at once where the host says so", () => {
  const core = shippingCore({ intercept: ["slabAlloc"] });
  const { index } = core.functions.find(({ name }) => name === "slabAlloc");
  let refuse = false;
  const seen = [];
  const enter = (function_) => {
    seen.push(function_);
    return refuse ? 1 : 0;
  };
  const thread = attach(createMemory({ maxBytes: ARENA }), core, { enter }, { init: { seed: 1 } });
  const mkdir = (path) => thread.call("sysMkdir", 0, -100, thread.path(path), 0o755);
  assert.equal(mkdir("/a"), 0);
  assert.ok(seen.length > 0 && seen.every((f) => f === index));
  refuse = true;
  assert.equal(mkdir("/b"), -28);
  refuse = false;
  assert.equal(mkdir("/b"), 0);
  assert.throws(() => instrument(SHIPPING, { intercept: ["noSuchFunction"] }), /no function noSuchFunction/);
  // Allocators that documentation names as functions of the shipping core.
  const names = new Set(core.functions.map(({ name }) => name));
  for (const name of ["slabAlloc", "kmalloc", "kalloc", "makeSpace"]) assert.ok(names.has(name), name);
});

test("entries are asked once each, however often the call is suspended behind them", () => {
  const core = shippingCore({
    accesses: true,
    asyncify: true,
    intercept: ["slabAlloc", "lockSlow", "filenameParentat"],
  });
  const entries = (suspend) => {
    const seen = [];
    const stop = () => suspend;
    const hooks = { access: stop, store: stop, range: stop, enter: (f) => void seen.push(core.functions[f].name) };
    const thread = attach(createMemory({ maxBytes: ARENA }), core, hooks, { init: { seed: 1 } });
    const from = seen.length;
    assert.equal(thread.call("sysMkdir", 0, -100, thread.path("/a"), 0o755), 0);
    return seen.slice(from);
  };
  const plainly = entries(false);
  assert.ok(plainly.includes("slabAlloc") && plainly.includes("filenameParentat"));
  assert.deepEqual(entries(true), plainly);
});

/** A module of one function, from text, and its instrumented self. */
function toy(body, options = { accesses: true }) {
  const module = binaryen.parseText(`(module (import "env" "memory" (memory 1 2 shared)) ${body})`);
  module.setFeatures(binaryen.Features.All);
  assert.ok(module.validate());
  const bytes = module.emitBinary();
  module.dispose();
  return { bytes, ...instrument(bytes, options), plain: bytes };
}

function instantiate(bytes, seen = []) {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  const words = new Uint8Array(memory.buffer);
  for (let i = 0; i < words.length; i++) words[i] = (i * 37) & 0xff;
  const report = (...args) => void seen.push(args);
  const imports = { env: { memory }, verify: { access: report, store: report, range: report } };
  return { exports: new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports, words };
}

const WIDTHS = { i32: [32, 8, 16], i64: [64, 8, 16, 32] };

/** Every access there is: mnemonic, bytes, type of the operand. */
function everyAccess() {
  const out = [];
  for (const type of ["f32", "f64"]) {
    const size = type === "f32" ? 4 : 8;
    out.push({ op: `${type}.load`, kind: "load", size, type }, { op: `${type}.store`, kind: "store", size, type });
  }
  for (const [type, widths] of Object.entries(WIDTHS)) {
    for (const bits of widths) {
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
  test(`${op}: reported with its address, size and value, and its outcome is the same`, () => {
    const value = { i32: "0x89abcdef", i64: "0x89abcdef12345678", f32: "1.5", f64: "-1.0000001" }[type];
    const operands = { load: 0, store: 1, rmw: 1, cmpxchg: 2 }[kind];
    const args = `(local.get 0)${` (${type}.const ${value})`.repeat(operands)}`;
    const result = kind === "store" ? "" : `(result ${type})`;
    const { bytes, sites, plain } = toy(`(func (export "f") (param i32) ${result} (${op} offset=520 ${args}))`);
    const seen = [];
    const [a, b] = [instantiate(plain), instantiate(bytes, seen)];
    assert.deepEqual(b.exports.f(8000), a.exports.f(8000));
    assert.deepEqual(b.words, a.words);
    assert.equal(sites.length, 1);
    const { atomic } = sites[0];
    assert.deepEqual({ op: sites[0].op, kind: sites[0].kind, size: sites[0].size }, { op, kind, size });
    assert.equal(atomic, op.includes("atomic"));
    assert.equal(seen.length, 1);
    assert.deepEqual(seen[0].slice(0, 2), [0, 8520]);
    if (kind !== "store") return;
    const stored = new DataView(new ArrayBuffer(8));
    stored.setInt32(0, seen[0][2], true);
    stored.setInt32(4, seen[0][3], true);
    assert.deepEqual(new Uint8Array(stored.buffer).slice(0, size), Uint8Array.from(a.words.slice(8520, 8520 + size)));
  });
}

test("wait, notify, fill, copy, grow and size are reported with their operands", () => {
  const { bytes, sites } = toy(`(func (export "f") (param i32) (result i32)
    (drop (memory.atomic.notify offset=4 (local.get 0) (i32.const 1)))
    (drop (memory.atomic.wait32 offset=8 (local.get 0) (i32.const 1) (i64.const 0)))
    (drop (memory.atomic.wait64 offset=16 (local.get 0) (i64.const 1) (i64.const 0)))
    (memory.fill (i32.const 100) (i32.const 9) (i32.const 10))
    (memory.copy (i32.const 200) (i32.const 100) (i32.const 5))
    (drop (memory.grow (i32.const 1)))
    (memory.size))`);
  const seen = [];
  const { exports, words } = instantiate(bytes, seen);
  assert.equal(exports.f(800), 2);
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

test("control flow is passed whole: branches, tables, typed blocks, several results, select, loops, calls", () => {
  const { bytes, plain } = toy(`
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
  for (const n of [1, 2, 3, 4, 5, 17, 100]) assert.equal(b.exports.f(n), a.exports.f(n));
  assert.deepEqual(b.words, a.words);
});

test("what the rewriter does not know is an error", () => {
  const simd = `(func (export "f") (drop (v128.load (i32.const 0))))`;
  assert.throws(() => toy(simd), /unknown opcode 0xfd/);
  const table = `(table 1 funcref) (func $g) (elem (i32.const 0) $g)`;
  assert.throws(() => toy(table), /section 4 is not handled/);
  assert.throws(() => instrument(Uint8Array.of(1, 2, 3)), /wasm/);
});

test("sites carry the function and the line that the source gives them", () => {
  const { sites, functions } = shippingCore({ accesses: true });
  const locked = sites.filter(({ line }) => line.startsWith("core/mem/lock/lock.ts:"));
  assert.ok(locked.some(({ kind }) => kind === "cmpxchg"));
  for (const { line, func } of sites) {
    assert.match(line, /^(core|~lib)\/[a-z/-]+\.ts:\d+$/);
    assert.doesNotMatch(func, /^f\d+$/);
  }
  assert.ok(
    functions.some(({ path }) => path === "core/vfs/walk/rcu-walk/rcuWalk" || path.endsWith("/filenameLookup")),
  );
  // The offset is that of the instruction itself: the first byte there is the opcode's.
  for (const { op, offset } of sites) {
    const prefix = { "i32.load": 0x28, "i64.store": 0x37, "memory.fill": 0xfc, "i32.atomic.load": 0xfe }[op];
    if (prefix !== undefined) assert.equal(SHIPPING[offset], prefix);
  }
});
