/**
 * For the tests of the dcache: where a path's dentry lies, what it holds, and names that fall on one hash. The words are
 * those that core/vfs/dcache/dentry.ts, inode.ts and namespace.ts draw; the hash is that of core/mem/hash.ts.
 */
import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { POINT, SCRATCH } from "../../dist/abi/abi.js";

/** Flags of a dentry, as in core/vfs/dcache/dentry.ts. */
export const D_TYPE = 7;
export const D_UNHASHED = 1 << 3;
export const D_CANT_MOUNT = 1 << 5;
export const D_ON_LRU = 1 << 13;

const SLOTS = 65536;
const SLOT_SIZE = 2048;
const KEYS = 2048;
const H_SALT = 1056;

/** Reads words of the tree's memory by what they mean; `a` is the address of a dentry unless said otherwise. */
export function peek(vfs) {
  const { memory } = vfs.handle;
  const word = (a) => Atomics.load(new Int32Array(memory.buffer), a >>> 2) >>> 0;
  return {
    word,
    seq: (a) => word(a),
    flags: (a) => word(a + 4),
    hash: (a) => word(a + 8),
    length: (a) => word(a + 12),
    parent: (a) => word(a + 16),
    inode: (a) => word(a + 20),
    dirSeq: (a) => word(a + 28),
    lastChild: (a) => word(a + 88),
    /** Owner of d_lock, 0: free. */
    lock: (a) => word(a + 64),
    /** References; negative: dead. */
    count: (a) => word(a + 68) | 0,
    /** First dentry in the list of a directory inode's. */
    alias: (inode) => word(inode + 80),
    /** Epoch that a slot shows: 0 outside a read-side section. */
    epoch: (slot) => word(SLOTS + slot * SLOT_SIZE),
    /** All of it, but for the slot, the scratch area and the memo of the thread of `own`. */
    shared(own) {
      const bytes = new Uint8Array(memory.buffer).slice();
      const slot = SLOTS + own.threadSlot * SLOT_SIZE;
      const scratch = word(slot + 92);
      bytes.fill(0, slot, slot + SLOT_SIZE);
      bytes.fill(0, scratch, scratch + SCRATCH.SIZE);
      const memo = word(slot + 100);
      if (memo !== 0) bytes.fill(0, memo, memo + 131072);
      return bytes;
    },
  };
}

/** Address of the dentry that a path leads to, links not followed. */
export function dentryOf(vfs, path) {
  const answer = vfs.points(() => vfs.fs.lstatSync(path)).findLast(([id]) => id === POINT.ANSWER);
  return answer[2];
}

/** How often a run passes a point. */
export function passes(vfs, id, run) {
  return vfs.points(run).filter(([seen]) => seen === id).length;
}

/** Only the changes that a run made to the counters, without the gauges. */
export function grown(tree, run, of) {
  const all = tree.counted(run, of);
  const gauges = new Set(["dentries", "inodes", "mounts", "chunksUsed", "chunksMax", "openFiles"]);
  return Object.fromEntries(Object.entries(all).filter(([name, n]) => n !== 0 && !gauges.has(name)));
}

/** High word of the product of two 32-bit numbers. */
function highOfProduct(a, b) {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + Math.floor((a0 * b0) / 0x10000);
  const middle2 = a0 * b1 + (middle % 0x10000);
  return a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(middle2 / 0x10000);
}

/** (high, low) of a product of 64-bit numbers, of which only the low 64 bits stay. */
function product(high, low, high2, low2) {
  const top = (highOfProduct(low, low2) + Math.imul(high, low2) + Math.imul(low, high2)) >>> 0;
  return [top, Math.imul(low, low2) >>> 0];
}

function sum(high, low, high2, low2) {
  const s = low + low2;
  return [(high + high2 + (s > 0xffffffff ? 1 : 0)) >>> 0, s >>> 0];
}

const GOLDEN = [0x9e3779b9, 0x7f4a7c15];

/** The core's hash with the keys of this tree, up to where the directory comes in; names of at most 7 bytes of ASCII. */
function hashing(vfs) {
  const { word } = peek(vfs);
  const [key, salt] = [KEYS, H_SALT].map((address) => [word(address + 4), word(address)]);
  const spread = (high, low) => product(...sum(high, (low ^ high) >>> 0, ...salt), 0xd6e8feb8, 0x6659fd93);
  return {
    name(text) {
      const at = (i) => (i < text.length ? text.charCodeAt(i) : 0);
      const high = at(4) | (at(5) << 8) | (at(6) << 16);
      const low = (at(0) | (at(1) << 8) | (at(2) << 16) | (at(3) << 24)) >>> 0;
      const [h, l] = sum(high, low, ...key);
      return spread(...sum(highOfProduct(l, h), Math.imul(l, h) >>> 0, 0, text.length));
    },
    /** What the core makes of a number that a driver's hash hook answers. */
    number: (n) => spread(...product(0, n, ...GOLDEN)),
  };
}

/** The hash that a name has in the directory whose dentry is at `parent`. */
export function hashOf(vfs, parent, name) {
  return inParent(hashing(vfs).name(name), product(0, parent, ...GOLDEN));
}

function inParent(hash, parent) {
  return sum(...hash, ...parent)[0];
}

/** The first of these two candidates has the same hash, one that is accepted, in directory `a` as the second in `b`. */
function twins(candidate, hash, a, b, accept) {
  const [pa, pb] = [a, b].map((parent) => product(0, parent, ...GOLDEN));
  const inA = new Map();
  const inB = new Map();
  for (let n = 1; n < 1_000_000; n++) {
    const h = hash(candidate(n));
    const [ha, hb] = [inParent(h, pa), inParent(h, pb)];
    const [withB, withA] = [inB.get(ha), inA.get(hb)];
    if (withB !== undefined && accept(ha)) return [candidate(n), candidate(withB)];
    if (withA !== undefined && accept(hb)) return [candidate(withA), candidate(n)];
    inA.set(ha, n);
    inB.set(hb, n);
  }
  throw new Error("no two of a million have one hash");
}

/** Two names of one length: the first has the same hash in directory `a` as the second in directory `b`. Nothing is made. */
export function twinNames(vfs, a, b = a, accept = () => true) {
  return twins((n) => `n${n.toString(36).padStart(5, "0")}`, hashing(vfs).name, a, b, accept);
}

/** The same for the numbers that a driver's hash hook may answer. */
export function twinHashes(vfs, a, b) {
  const any = () => true;
  return twins((n) => n, hashing(vfs).number, a, b, any);
}

/** Checks the copy of the hash against an entry of the tree, so that a change of the core's is noticed here. */
export function checkHash(vfs, directory, name) {
  const parent = dentryOf(vfs, directory);
  const entry = dentryOf(vfs, `${directory}/${name}`);
  assert.equal(peek(vfs).hash(entry), hashOf(vfs, parent, name), "the hash in this file is no longer the core's");
}

/** The action runs once, the next time that `vfs` passes the point with numbers that match. */
export function when(vfs, id, match, action) {
  vfs.at(id, function look(a, b) {
    if (match(a, b)) action(a, b);
    else vfs.at(id, look);
  });
}

/**
 * A thread that does `source` (the body of a function of `vfs` and `round`) over and over. Answers once it has begun; stop()
 * ends it and answers how many rounds there were.
 */
export async function busy(t, vfs, source, maxRounds = 1e9) {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL("./busy.worker.js", import.meta.url), {
    workerData: { handle: vfs.handle, source, shared, maxRounds },
  });
  t.after(() => worker.terminate());
  const ended = new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
    worker.on("exit", () => reject(new Error("the worker ended without an answer")));
  });
  ended.catch(() => {});
  const begun = Atomics.waitAsync(shared, 1, 0, 5000);
  if ((begun.async ? await begun.value : begun.value) === "timed-out") throw new Error("the worker never began");
  return {
    async stop() {
      Atomics.store(shared, 0, 1);
      const { rounds, message } = await ended;
      if (message !== undefined) throw new Error(message);
      return rounds;
    },
    /** Waits until it has done its rounds. */
    async done() {
      const { rounds, message } = await ended;
      if (message !== undefined) throw new Error(message);
      return rounds;
    },
  };
}

/** Does something again and again for `ms` milliseconds; answers how often. */
export function during(ms, run) {
  const until = performance.now() + ms;
  let rounds = 0;
  do {
    for (let i = 0; i < 100; i++) run(rounds++);
  } while (performance.now() < until);
  return rounds;
}
