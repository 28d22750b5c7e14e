import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { attach, type Core, createMemory, type Hooks, shippingCore, type Thread } from "../../dist/binary/core.js";
import { instrument, type Site } from "../../dist/binary/instrument.js";
import { type AccessKind, instruction, Reader, SECTION, sections } from "../../dist/binary/wasm.js";
import { defined } from "../../dist/support/defined.js";
import { type Left, runScript } from "./core-call-sequence.js";

const ARENA = 4 << 20;
const SHIPPING = readFileSync(new URL("../../../threadfs/dist/core.wasm", import.meta.url));

interface Run {
  thread: Thread;
  results: Left[];
  /** The bytes of the arena in the end. */
  arena: Buffer;
}

/** Runs the sequence on a fresh arena. */
function run(core: Core | Uint8Array, hooks: Hooks = {}): Run {
  const memory = createMemory({ maxBytes: ARENA });
  const thread = attach(memory, core, hooks, { init: { seed: 42 } });
  const results = runScript(thread);
  return { thread, results, arena: Buffer.from(new Uint8Array(memory.buffer, 0, ARENA)).subarray(0, ARENA) };
}

function same(got: Run, want: Run): void {
  assert.deepEqual(got.results, want.results);
  const at = got.arena.findIndex((byte, i) => byte !== want.arena[i]);
  assert.equal(at, -1, `the arenas differ at ${at}`);
}

let plainRun: Run | undefined;
/** The run on the core that ships. */
function plain(): Run {
  plainRun ??= run(SHIPPING);
  return plainRun;
}

test("the sequence has successes and errors in the plain core", () => {
  const results = new Map(plain().results.map(([label, value]) => [label, value]));
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
    const result = defined(results.get(label), label);
    assert.ok(result >= 0, `${label} returned ${result}`);
  }
  assert.equal(results.get("mkdir again"), -17);
  assert.equal(results.get("access of none"), -2);
  assert.equal(results.get("access as a user"), -13);
  assert.equal(results.get("rmdir of a full one"), -39);
});

test("the instrumented core returns the same results and leaves the same bytes", (t) => {
  const core = shippingCore({ accesses: true });
  const reached = new Set<number>();
  const see = (site: number): undefined => {
    reached.add(site);
  };
  same(run(core, { access: see, store: see, range: see }), plain());
  t.diagnostic(`${core.sites.length} sites, ${reached.size} of them reached by the sequence`);
  t.diagnostic(`${SHIPPING.length} bytes before, ${core.bytes.length} after`);
  assert.ok(reached.size > core.sites.length / 2);
});

/**
 * A copy of the memory that is kept up to date from the reports alone: stores by the value reported, copies and fills by
 * their operands. Only the outcome of a read-modify-write is taken from the memory, at the address reported.
 */
class Shadow {
  readonly reports: Record<AccessKind, number> = {
    load: 0,
    store: 0,
    rmw: 0,
    cmpxchg: 0,
    fill: 0,
    copy: 0,
    notify: 0,
    wait: 0,
    grow: 0,
    size: 0,
  };
  #pending: [address: number, size: number] | undefined;
  #thread: Thread | undefined;
  #bytes = new Uint8Array();
  #view = new DataView(new ArrayBuffer(0));

  constructor(readonly sites: Site[]) {}

  /** Begins with the memory as it is. */
  take(thread: Thread): void {
    this.#thread = thread;
    this.#bytes = thread.bytes.slice(0, ARENA);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** The bytes of the real memory. */
  get #memory(): Uint8Array {
    return defined(this.#thread, "thread").bytes;
  }

  get hooks(): Required<Pick<Hooks, "access" | "store" | "range">> {
    return {
      access: (site, address) => {
        this.settle();
        const { kind, size } = this.#count(site);
        if (kind === "rmw" || kind === "cmpxchg") this.#pending = [address, size];
        return undefined;
      },
      store: (site, address, low, high) => {
        this.settle();
        const { kind, size } = this.#count(site);
        assert.equal(kind, "store");
        if (size === 1) this.#view.setUint8(address, low);
        else if (size === 2) this.#view.setUint16(address, low, true);
        else this.#view.setUint32(address, low, true);
        if (size === 8) this.#view.setUint32(address + 4, high, true);
        if (size < 4) assert.ok(low < 2 ** (8 * size), "the value reported is wider than the store");
        return undefined;
      },
      range: (site, to, from, length) => {
        this.settle();
        const { kind } = this.#count(site);
        if (kind === "fill") this.#bytes.fill(from, to, to + length);
        else this.#bytes.copyWithin(to, from, from + length);
        return undefined;
      },
    };
  }

  #count(id: number): Site {
    const site = defined(this.sites[id], `site ${id}`);
    this.reports[site.kind]++;
    return site;
  }

  settle(): void {
    if (this.#pending === undefined) return;
    const [address, size] = this.#pending;
    this.#pending = undefined;
    this.#bytes.set(this.#memory.subarray(address, address + size), address);
  }

  /** Takes bytes from the memory: the host itself writes paths and contents to the scratch area. */
  adopt(from: number, length: number): void {
    this.#bytes.set(this.#memory.subarray(from, from + length), from);
  }

  /** Where the copy differs from the memory; -1: nowhere. */
  firstDifference(): number {
    this.settle();
    const [a, b] = [this.#bytes, this.#memory];
    if (Buffer.compare(a, Buffer.from(b.buffer, 0, ARENA)) === 0) return -1;
    return a.findIndex((byte, i) => byte !== b[i]);
  }
}

test("the memory can be rebuilt from the reports: each store is reported, with its address and value", (t) => {
  const core = shippingCore({ accesses: true });
  const shadow = new Shadow(core.sites);
  const thread = attach(createMemory({ maxBytes: ARENA }), core, shadow.hooks, { init: { seed: 42 } });
  shadow.take(thread);
  let calls = 0;
  const results = runScript(thread, (name, ...args) => {
    shadow.adopt(thread.scratch, 131072);
    const value = thread.call(name, ...args);
    const at = shadow.firstDifference();
    assert.equal(at, -1, `${name}: the byte at ${at} changed without a report`);
    calls++;
    return value;
  });
  assert.deepEqual(results, plain().results);
  t.diagnostic(`${calls} calls, reports: ${JSON.stringify(shadow.reports)}`);
  for (const kind of ["load", "store", "rmw", "cmpxchg", "fill", "copy"] as const)
    assert.ok(shadow.reports[kind] > 0, kind);
});

test("a report that is left out shows in the rebuilt memory", () => {
  const core = shippingCore({ accesses: true });
  const victim = core.sites.filter(({ kind, func }) => kind === "store" && func === "insertInChain");
  assert.ok(victim.length > 0);
  const shadow = new Shadow(core.sites);
  const { store } = shadow.hooks;
  const hooks: Hooks = {
    ...shadow.hooks,
    store: (site, ...rest) => (victim.some(({ id }) => id === site) ? undefined : store(site, ...rest)),
  };
  const thread = attach(createMemory({ maxBytes: ARENA }), core, hooks, { init: { seed: 42 } });
  shadow.take(thread);
  shadow.adopt(thread.scratch, 131072);
  thread.check("sysMkdir", 0, -100, thread.path("/d"), 0o755);
  assert.notEqual(shadow.firstDifference(), -1);
});

/** How often each mnemonic of an access stands in a module's code. */
function countAccesses(bytes: Uint8Array): Map<string, number> {
  const out = new Map<string, number>();
  const { start, end } = defined(
    sections(bytes).find(({ id }) => id === SECTION.CODE),
    "code section",
  );
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
      if (op !== undefined) out.set(op, (out.get(op) ?? 0) + 1);
    }
  }
  return out;
}

test("neither the rewriter nor asyncify loses or doubles an access", () => {
  const want = countAccesses(SHIPPING);
  const { bytes, sites } = shippingCore({ accesses: true });
  assert.deepEqual(countAccesses(bytes), want);
  assert.equal(
    [...want.values()].reduce((sum, n) => sum + n, 0),
    sites.length,
  );
  const suspending = countAccesses(shippingCore({ accesses: true, asyncify: true }).bytes);
  // Asyncify's own accesses save and restore locals.
  const its = new Set(["i32.load", "i32.store", "i64.load", "i64.store", "f64.load", "f64.store"]);
  for (const [op, n] of want) {
    const found = defined(suspending.get(op), op);
    if (its.has(op)) assert.ok(found >= n, op);
    else assert.equal(found, n, op);
  }
  for (const op of suspending.keys()) assert.ok(want.has(op) || its.has(op), op);
});

test("suspended and resumed at every access, the core returns the same results and leaves the same bytes", (t) => {
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

test("two threads on one memory that take turns at every access both make their directories", () => {
  const core = shippingCore({ accesses: true, asyncify: true });
  const memory = createMemory({ maxBytes: ARENA });
  const stop = () => true;
  const hooks: Hooks = { access: stop, store: stop, range: stop, wait: () => undefined };
  const threads = [attach(memory, core, hooks, { init: { seed: 1 } }), attach(memory, core, hooks)];
  for (const [i, thread] of threads.entries()) thread.begin("sysMkdir", 0, -100, thread.path(`/d${i}`), 0o755);
  let turns = 0;
  while (threads.some(({ done }) => !done) && turns < 1e6) {
    const thread = defined(threads[turns++ % 2], "thread");
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
    const asking = defined(threads[0], "thread");
    assert.equal(asking.call("sysAccess", 0, -100, asking.path(`/d${i}`), 0, 0), 0);
  }
});

test("a call can be suspended only if begin() made it, and resumed only if it is suspended", () => {
  const core = shippingCore({ accesses: true, asyncify: true });
  const thread = attach(createMemory({ maxBytes: ARENA }), core, { access: () => true }, { init: { seed: 1 } });
  assert.throws(() => thread.exports.sysUmask(0, 0), /begin\(\)/);
  assert.throws(() => thread.resume(), /nothing is suspended/);
});

test("an intercepted function returns 0 at once where the host says so", () => {
  const core = shippingCore({ intercept: ["slabAlloc"] });
  const { index } = defined(
    core.functions.find(({ name }) => name === "slabAlloc"),
    "function slabAlloc",
  );
  let refuse = false;
  const seen: number[] = [];
  const enter = (function_: number) => {
    seen.push(function_);
    return refuse ? 1 : 0;
  };
  const thread = attach(createMemory({ maxBytes: ARENA }), core, { enter }, { init: { seed: 1 } });
  const mkdir = (path: string) => thread.call("sysMkdir", 0, -100, thread.path(path), 0o755);
  assert.equal(mkdir("/a"), 0);
  assert.ok(seen.length > 0 && seen.every((f) => f === index));
  refuse = true;
  assert.equal(mkdir("/b"), -28);
  refuse = false;
  assert.equal(mkdir("/b"), 0);
  assert.throws(() => instrument(SHIPPING, { intercept: ["noSuchFunction"] }), /no function noSuchFunction/);
  // Allocators that the documents name as functions of the shipping core.
  const names = new Set(core.functions.map(({ name }) => name));
  for (const name of ["slabAlloc", "kmalloc", "kalloc", "makeSpace"]) assert.ok(names.has(name), name);
});

test("an intercepted function asks once for each entry, however often the call is suspended in it", () => {
  const core = shippingCore({
    accesses: true,
    asyncify: true,
    intercept: ["slabAlloc", "lockSlow", "filenameParentat"],
  });
  const entries = (suspend: boolean) => {
    const seen: string[] = [];
    const stop = () => suspend;
    const enter = (index: number) => {
      seen.push(defined(core.functions[index], `function ${index}`).name);
      return 0;
    };
    const hooks: Hooks = { access: stop, store: stop, range: stop, enter };
    const thread = attach(createMemory({ maxBytes: ARENA }), core, hooks, { init: { seed: 1 } });
    const from = seen.length;
    assert.equal(thread.call("sysMkdir", 0, -100, thread.path("/a"), 0o755), 0);
    return seen.slice(from);
  };
  const plainly = entries(false);
  assert.ok(plainly.includes("slabAlloc") && plainly.includes("filenameParentat"));
  assert.deepEqual(entries(true), plainly);
});

const OPCODES = new Map([
  ["i32.load", 0x28],
  ["i64.store", 0x37],
  ["memory.fill", 0xfc],
  ["i32.atomic.load", 0xfe],
]);

test("each site has the function and the line of the source that it comes from", () => {
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
  // The offset is that of the instruction itself: its first byte is the opcode.
  for (const { op, offset } of sites) {
    const prefix = OPCODES.get(op);
    if (prefix !== undefined) assert.equal(SHIPPING[offset], prefix);
  }
});
