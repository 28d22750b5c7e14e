/** The check of all interleavings: its parts, its order, and faults planted in the binary that it must catch. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as L from "../../dist/arena/layout.js";
import { dropCalls, dropNotify } from "../../dist/binary/binary-faults.js";
import type { FunctionName, Site } from "../../dist/binary/instrument.js";
import { matchesPair, replayCase } from "../../dist/explore/cases.js";
import { Harness } from "../../dist/explore/harness.js";
import { inPart } from "../../dist/explore/interleave.js";
import { coreProgram } from "../../dist/machine/program.js";
import { operations } from "../../dist/scenario/operations.js";
import { defined } from "../../dist/support/defined.js";
import { only } from "../support/members.js";

const TREE = "small";

/** The operation of a tree whose name begins so. */
function operationOf(tree: string, beginning: string) {
  const found = operations.find((op) => op.tree === tree && op.name.startsWith(beginning));
  return defined(found, `operation ${beginning}`);
}

const operation = (beginning: string) => operationOf(TREE, beginning);

/** A fault in the binary, a pair of operations and the bound within which their schedules show it. */
interface Fault {
  patch: (bytes: Uint8Array, sites: Site[], functions: FunctionName[]) => void;
  names: string[];
  bound: number;
}

/** Explores the same pair on the binary as it is, and with the fault; returns the failure. */
function caught({ patch, names, bound }: Fault): { message: string } {
  const ops = names.map(operation);
  const sound = new Harness(coreProgram(), TREE).explore(ops, { bound });
  assert.deepEqual(sound.failures, [], "the shipping core");
  const program = coreProgram(patch);
  const failure = only(new Harness(program, TREE).explore(ops, { bound }).failures, "failure");
  const { verdict } = new Harness(program, TREE).repeat(ops, failure.replay);
  assert.notEqual(verdict, null, "its schedule shows it again");
  assert.equal(new Harness(coreProgram(), TREE).repeat(ops, failure.replay).verdict, null);
  return failure;
}

test("on the trees of the growing table a new entry splits the bucket of the name that is looked up", () => {
  for (const tree of ["split", "splitEmpty"]) {
    const harness = new Harness(coreProgram(), tree);
    const buckets = () => defined(harness.machine.words[L.G_HASH_N >>> 2], "number of buckets");
    const before = buckets();
    const place = defined(harness.bucket, "bucket of the name") + L.MIN_BUCKETS;
    assert.ok(before <= place && place < before + 2, `${before} buckets, number ${place} is the next`);
    const ops = ["sysMkdir(path=/d/y", "sysStat(path=/d/e"].map((call) =>
      defined(
        operations.find((op) => op.tree === tree && op.name.includes(call)),
        call,
      ),
    );
    const { failures } = harness.explore(ops, { bound: 0 });
    assert.deepEqual(failures, []);
    assert.equal(buckets(), before + 2);
  }
});

test("on the tree of the prefix cache each thread has the directories in its cache before it begins", () => {
  const { machine, tree } = new Harness(coreProgram(), "prefixes");
  const word = (address: number) => defined(machine.words[address >>> 2], "word");
  const { warm } = defined(tree, "tree");
  for (const { id } of machine.threads) {
    const cache = word(L.SLOTS + id * L.SLOT_SIZE + L.SLOT_PREFIX_CACHE);
    const room = word(L.G_PREFIX_SETS) * 3;
    const lengths = Array.from({ length: room }, (_, n) => word(cache + n * L.PREFIX_CACHE_ENTRY + 12) & 0xffff);
    // Behind a mount point the rest of the path has an entry of its own as well.
    for (const path of warm) assert.ok(lengths.includes(path.lastIndexOf("/")), `thread ${id}: ${path}`);
  }
});

// A random run of three operations found it: EINVAL, as if the source of the bind were in no mount.
test("a bind from a mount that is being moved succeeds", () => {
  const harness = new Harness(coreProgram(), "mounts");
  const ops = ["bind: sysMount(path=/m/f", "move: sysMount(path=/m path2=/n"].map((start) =>
    operationOf("mounts", start),
  );
  for (let n = 300; n < 480; n += 3) {
    for (const m of [465, 470, 475, 480]) {
      const schedule = `a${n}-b${m}-a-b`;
      assert.equal(harness.repeat(ops, schedule).verdict, null, schedule);
    }
  }
});

test("the parts of a run are disjoint and together all of it", () => {
  const sets = Array.from({ length: 11 }, (_, n) => n);
  const parts = ["1/3", "2/3", "3/3"].map((part) => sets.filter(inPart(part)));
  assert.deepEqual(
    parts.map(({ length }) => length),
    [4, 4, 3],
  );
  assert.deepEqual(
    parts.flat().sort((x, y) => x - y),
    sets,
  );
  assert.deepEqual(sets.filter(inPart(undefined)), sets);
  for (const wrong of ["0/2", "3/2", "1", "a/b"]) assert.throws(() => inPart(wrong), RangeError);
});

test("pairs are chosen by one operation, by both in either order, and by the tree", () => {
  const [a, b] = [operation("rename"), operation("stat")];
  const pair = { tree: TREE, a, b };
  for (const choice of [undefined, a.kind, b.name, `${b.kind} || ${a.kind}`, `${TREE}@${a.kind}`])
    assert.equal(matchesPair(choice)(pair), true, choice);
  for (const choice of ["shrink", `${a.kind} || shrink`, `mounts@${a.kind}`])
    assert.equal(matchesPair(choice)(pair), false, choice);
});

test("the exploration of a pair is the same every time", () => {
  const ops = [operation("rename: sysRename(path=/d/f path2=/d/x"), operation("unlink: sysUnlink(path=/d/f)")];
  const program = coreProgram();
  const first = new Harness(program, TREE).explore(ops, { bound: 1 });
  assert.deepEqual(new Harness(program, TREE).explore(ops, { bound: 1 }), first);
  assert.ok(first.complete && first.outcomes > 1, "both orders were seen");
});

test("with a decision at every access and without reduction, the results and the trees are the same", () => {
  const program = coreProgram();
  for (const names of [
    ["rename: sysRename(path=/d/f path2=/d/x", "looks: sysStat(path=/d/x)"],
    ["mkdir: sysMkdir(path=/d/x", "unlink: sysUnlink(path=/d/f)"],
  ]) {
    const ops = names.map(operation);
    const explored = (everything: boolean) => {
      const harness = new Harness(program, TREE);
      harness.machine.everyAccess = everything;
      const found = harness.explore(ops, { bound: 1, reduce: !everything });
      assert.deepEqual([found.complete, found.failures], [true, []]);
      const ends = [...harness.verdicts.keys()].map((key) => JSON.stringify(JSON.parse(key).slice(1, 3)));
      return { schedules: found.schedules, ends: [...new Set(ends)].sort() };
    };
    const [few, all] = [explored(false), explored(true)];
    assert.deepEqual(few.ends, all.ends);
    assert.ok(few.schedules < all.schedules / 2, `${few.schedules} of ${all.schedules} schedules`);
  }
});

// Fails when dMove() takes the lists of children before the chains of the new names: each thread then waits for the other for ever.
test("a rename and the end of a dentry take the locks of a chain and of a list in one order", () => {
  const ops = [operation("unlink: sysUnlink(path=/l)"), operation("rename: sysRename(path=/h path2=/d/x flags=1)")];
  const { complete, failures } = new Harness(coreProgram(), TREE).explore(ops, { bound: 1 });
  assert.deepEqual([complete, failures], [true, []]);
});

const STOPPED_CHANGES: [tree: string, change: string, look: string, what: string][] = [
  // Fails when an umount clears D_MOUNTED without the sequence of the mount point: the mount is then found nowhere.
  ["mounts", "move: sysMount(path=/m path2=/n", "looks: sysStat(path=/m/f)", "a mount that moves is somewhere"],
  ["mounts", "umount: sysUmount(path=/m flags=0)", "looks: sysStat(path=/m/f)", "a mount is there or not"],
  // Fails when a lookup that finds a removed name still in its chain begins anew: it did so until it reported corrupt memory.
  ["small", "unlink: sysUnlink(path=/d/f)", "stat: sysStat(path=/l/f)", "a name is there or not"],
];
for (const [tree, change, look, what] of STOPPED_CHANGES) {
  test(`for a reader while a change is stopped in the middle ${what}`, () => {
    const harness = new Harness(coreProgram(), tree);
    const ops = [operationOf(tree, change), operationOf(tree, look)];
    for (let n = 2; ; n++) {
      const schedule = `a${n}-b-a`;
      const { verdict } = harness.repeat(ops, schedule);
      if (verdict !== null) assert.fail(`${verdict}\n${harness.trace(ops, schedule).text}`);
      if (harness.machine.schedule.some(([id, steps]) => id === 0 && steps === n)) continue;
      assert.ok(n > 100, `${change} has ${n - 1} accesses`);
      break;
    }
  });
}

test("a lock that wakes no waiter is caught (planted)", () => {
  const { message } = caught({
    patch: (bytes, sites) => {
      for (const site of sites.filter((s) => s.kind === "notify")) dropNotify(bytes, site);
    },
    names: ["mkdir: sysMkdir(path=/d/x", "create: sysOpen(path=/d/x flags=65"],
    bound: 2,
  });
  assert.match(message, /lost wake-up/);
});

test("a lock of a directory that a thread does not wait for is caught (planted)", () => {
  const { message } = caught({
    patch: (bytes, _sites, functions) => {
      const index = (name: string) => only(functions.filter((f) => f.name === name)).index;
      const imported = WebAssembly.Module.imports(new WebAssembly.Module(Uint8Array.from(bytes))).filter(
        ({ kind }) => kind === "function",
      );
      dropCalls(bytes, index("mutexLock"), index("lockSlow"), imported.length);
    },
    names: ["mkdir: sysMkdir(path=/d/x", "mkdir: sysMkdir(path=/d/x"],
    bound: 1,
  });
  assert.match(message, /panic|no interleaving|trap/);
});

test("a schedule is repeated from its text alone", () => {
  const a = operations.indexOf(operation("rename: sysRename(path=/d/f path2=/d/x"));
  const b = operations.indexOf(operation("looks: sysStat(path=/d/f)"));
  const lines: string[] = [];
  assert.equal(
    replayCase(`small|${a}|${b}:a200-b-a`, (line: string) => lines.push(line)),
    null,
  );
  assert.match(lines.join("\n"), /a200 \w+ core\/\S+:\d+/);
  assert.throws(() => replayCase("small|9999|1:a-b", () => {}), /No operations/);
});

test("a reader that dies at any of its accesses blocks no other thread", () => {
  const harness = new Harness(coreProgram(), TREE);
  const ops = [operation("looks: sysStat(path=/d/x)"), operation("mkdir: sysMkdir(path=/d/x")];
  let deaths = 0;
  for (let n = 1; ; n++) {
    const found = harness.death(ops, n);
    if (found === null) break;
    deaths++;
    const { status, results } = found.outcome;
    assert.deepEqual([status, results], ["done", [undefined, [0]]], `dead before access ${n}`);
  }
  assert.ok(deaths > 100, `${deaths} accesses`);
});
