import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { randomBelow } from "../../../cli/dist/support/random.js";
import { instrument, plantStore } from "../../dist/binary/instrument.js";
import { symbolsOf } from "../../dist/binary/symbols.js";
import { Caches, LineTable, simulate } from "../../dist/coherence/cache-model.js";
import { figures, run } from "../../dist/coherence/coherence.js";
import { lineChart } from "../../dist/coherence/line-chart.js";
import { defined } from "../../dist/support/defined.js";

/** A read of a line, and a write. */
const load = (line: number) => line * 2;
const write = (line: number) => line * 2 + 1;

test("in rcu mode no cache line moves for a lookup, in ref mode many do", async (t) => {
  const { ok, explored, failures } = await run({ seed: 1, short: true });
  for (const [name, value] of Object.entries(explored)) t.diagnostic(`${name}: ${value}`);
  assert.deepEqual(failures, []);
  assert.ok(ok);
});

test("a store planted in the walk moves cache lines", () => {
  const shipping = readFileSync(new URL("../../../threadfs/dist/core.wasm", import.meta.url));
  const where = { func: "rcuWalk", op: "i64.atomic.load", at: 64, add: true };
  const { bytes, names } = plantStore(shipping, where, symbolsOf(shipping));
  const rows = figures(instrument(bytes, { accesses: true, names }), { seed: 1, threads: [4], lookups: 200 });
  const moved = (shape: string) => {
    const found = rows.find((row) => row.shape === shape && row.mode === "rcu");
    return defined(found, `row of ${shape}`).transfers;
  };
  // An addition to the line of every dentry on the way: all eight are common to all threads, or the upper three.
  assert.ok(moved("same file") > moved("separate files"));
  assert.ok(moved("separate files") > 1);
});

/** Plays accesses of threads; returns for each whether it moved a line, as 1 or 0. */
function moves(threads: number, lines: number, accesses: [thread: number, access: number][]): number[] {
  const caches = new Caches(threads, lines);
  return accesses.map(([thread, access]) => (caches.access(thread, access) ? 1 : 0));
}

test("in the cache model lines are fetched once, shared by readers and taken by writers", () => {
  const steps: [thread: number, access: number, want: number, why: string][] = [
    [0, load(0), 1, "the first thread fetches it"],
    [0, load(0), 0, "and has it"],
    [0, write(0), 0, "alone, so it may write"],
    [1, load(0), 1, "another thread fetches it"],
    [0, load(0), 0, "both have it"],
    [0, write(0), 1, "now it has to be taken from the other"],
    [0, write(0), 0, "once"],
    [1, load(0), 1, "the other has lost it"],
    [2, load(0), 1, ""],
    [1, write(0), 1, "a sharer takes it from two"],
    [0, load(0), 1, "both have lost it"],
    [2, load(0), 1, ""],
    [2, write(1), 1, "another line"],
    [0, write(1), 1, "is taken by a write too"],
    [0, write(1), 0, ""],
  ];
  const got = moves(
    3,
    2,
    steps.map(([thread, access]) => [thread, access]),
  );
  for (const [i, [thread, access, want, why]] of steps.entries())
    assert.equal(got[i], want, `${i}: ${thread} ${access} ${why}`);
});

test("on random accesses the cache model agrees with a model of sets of holders", () => {
  const random = randomBelow(7);
  const [threads, lines] = [5, 6];
  const caches = new Caches(threads, lines);
  const holders = Array.from({ length: lines }, () => new Set<number>());
  for (let i = 0; i < 20_000; i++) {
    const [thread, line, writes] = [random(threads), random(lines), random(3) === 0];
    const held = defined(holders[line], `line ${line}`);
    const has = held.has(thread) && (!writes || held.size === 1);
    assert.equal(caches.access(thread, writes ? write(line) : load(line)), !has, `step ${i}`);
    if (writes) held.clear();
    held.add(thread);
  }
});

test("in a simulation readers move no line, and a common counter of two threads moves one", () => {
  const options = { seed: 3, operations: 10_000 };
  const traces = (n: number, trace: number[]) => Array.from({ length: n }, () => [Uint32Array.from(trace)]);
  assert.equal(simulate(traces(8, [load(0), load(1)]), 2, options).transfers, 0);
  assert.equal(simulate(traces(1, [write(0), load(1)]), 2, options).transfers, 0);
  // A line that is written at each access is still the writer's own with probability 1 / n.
  for (const n of [2, 8, 64]) {
    const { transfers, hottest, busiest, operations, error } = simulate(traces(n, [write(0)]), 2, options);
    assert.ok(operations >= 10_000);
    assert.ok(Math.abs(transfers - (1 - 1 / n)) < 0.02, `${n}: ${transfers}`);
    assert.ok(error < 0.01);
    assert.equal(hottest, transfers);
    assert.equal(busiest, 0);
  }
  // Between two writes of one of two threads the other makes 0, 1, more accesses with 1/4, 1/4, 1/2, and every other one writes.
  const { transfers } = simulate(traces(2, [load(1), write(0)]), 2, options);
  assert.ok(Math.abs(transfers - 0.625) < 0.02, `${transfers}`);
});

test("a simulation counts the threads that it is to count, and repeats with its seed", () => {
  const reader = [Uint32Array.of(load(0))];
  const writer = [Uint32Array.of(load(1), load(1), load(1), write(0))];
  const play = (seed: number) => simulate([reader, reader, writer], 2, { seed, operations: 3200, counted: 2 });
  const once = play(5);
  assert.deepEqual(play(5), once);
  assert.equal(once.operations, 3200);
  assert.ok(once.transfers > 0 && once.transfers < 1);
  assert.notDeepEqual(play(6), once);
});

test("an access of a range touches every line of the range", () => {
  const lines = new LineTable();
  const trace: number[] = [];
  lines.push(trace, 60, 8, true);
  lines.push(trace, 64, 4, false);
  lines.push(trace, 128, 64, false);
  assert.deepEqual(trace, [write(0), write(1), load(1), load(2)]);
  assert.deepEqual(lines.addresses, [0, 64, 128]);
});

test("the chart is well-formed, and its labels do not overlap", () => {
  type Point = [x: number, y: number];
  const points = (factor: number) => [2, 4, 8].map((n): Point => [n, factor * n]);
  const series = [
    ...["a & b", "c < d", "e"].map((name) => ({ name, points: points(0) })),
    { name: "f", points: points(10), dashed: true },
  ];
  const svg = lineChart({ title: "t", x: "x", y: "y", series });
  const open: string[] = [];
  for (const [, slash, name = "", , self] of svg.matchAll(/<(\/?)([a-z]+)([^>]*?)(\/?)>/g)) {
    if (slash) assert.equal(open.pop(), name);
    else if (!self) open.push(name);
  }
  assert.deepEqual(open, []);
  assert.doesNotMatch(svg, /NaN|undefined|a & b|c < d/);
  const heights = [...svg.matchAll(/<text x="602" y="([\d.]+)"/g)].map(([, y]) => Number(y)).sort((a, b) => a - b);
  assert.equal(heights.length, 4);
  for (const [i, height] of heights.entries()) assert.ok(height - (heights[i - 1] ?? 0) >= 16);
  assert.ok(Math.max(...heights) < 460);
});
