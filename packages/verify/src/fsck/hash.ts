/** The table of dentries: every hashed one in the one chain that its hash says; and the hash itself, from the drawing of core/mem/hash.ts. */
import * as L from "../arena/layout.js";
import { type ArenaView, hex } from "./arena-view.js";

const { DENTRY: D } = L;
const SPREAD = 0xd6e8feb86659fd93n;
const GOLDEN = 0x9e3779b97f4a7c15n;
const LOW = 0xffffffffn;

/** The 32 bits by which the table knows a name in the directory whose dentry is at `parent`. */
export function hashLow(v: ArenaView, at: number, len: number, parent: number): number {
  let sum = BigInt(len);
  for (let i = 0; i <= len; i += 8) {
    const bytes = Math.min(8, len - i);
    let word = 0n;
    for (let b = bytes - 1; b >= 0; b--) word = (word << 8n) | BigInt(v.bytes[at + i + b] ?? 0);
    const keyed = BigInt.asUintN(64, word + v.data.getBigUint64(L.KEYS + i, true));
    sum += (keyed & LOW) * (keyed >> 32n);
  }
  sum = BigInt.asUintN(64, sum);
  const spread = ((sum ^ (sum >> 32n)) + v.data.getBigUint64(L.H_SALT, true)) * SPREAD;
  return Number(BigInt.asUintN(64, spread + BigInt(parent) * GOLDEN) >> 32n);
}

/** Linear hashing: the bucket of a hash when there are `n`. */
function bucketOf(hash: number, n: number) {
  const low = 2 ** (31 - Math.clz32(n));
  const b = (hash & (low * 2 - 1)) >>> 0;
  return b < n ? b : b - low;
}

export function checkTable(v: ArenaView) {
  const n = v.u32(L.G_HASH_N);
  const most = v.u32(L.H_MAX_BUCKETS);
  if (n < L.MIN_BUCKETS || n > most) {
    v.problem("hash-size", `${n} buckets; there may be ${L.MIN_BUCKETS} to ${most}`);
    return;
  }
  const mask = 2 ** (32 - Math.clz32(n)) - 1;
  v.equal(v.u32(L.G_HASH_MASK), mask, "hash-size", () => `the mask for ${n} buckets`);
  const seen = new Set<number>();
  const names = new Map<string, number>();
  for (let b = 0; b < n; b++) checkChain(v, b, n, seen, names);
  const heads = v.u32(L.H_BUCKETS);
  for (let b = n; b < most; b++) {
    if (v.u32(heads + b * 4) !== 0) v.problem("hash-size", `bucket ${b} is not in use yet, and not empty`);
  }
  const count = v.sum(L.G_HASH_COUNT, L.SLOT_HASH_COUNT);
  v.equal(count, seen.size, "hash-count", () => "the number of dentries in the table");
  v.counts.hashed = seen.size;
  v.counts.buckets = n;
  for (const d of v.tree) {
    const hashed = (v.u32(d + D.flags) & L.D_UNHASHED) === 0;
    v.equal(seen.has(d), hashed, "hash-lost", () => `whether ${v.dentry(d)} is in the table`);
  }
}

function checkChain(v: ArenaView, b: number, n: number, seen: Set<number>, names: Map<string, number>) {
  const head = v.u32(v.u32(L.H_BUCKETS) + b * 4);
  if (head === 0) return;
  let p = head;
  for (; (p & 1) === 0; p = v.u32(p + D.next)) {
    if (!v.tree.has(p) || seen.has(p)) {
      const why = seen.has(p) ? "in a chain already" : "no live dentry";
      v.problem("hash-chain", `${hex(p)} in chain ${b} is ${why}`);
      return;
    }
    seen.add(p);
    const bucket = bucketOf(v.u32(p + D.hash), n);
    const d = p;
    v.equal(b, bucket, "hash-chain", () => `the chain that ${v.dentry(d)} stands in`);
    // By its bytes: two names that are no text may look alike.
    const key = `${v.u32(p + D.parent)}/${String.fromCharCode(...(v.nameBytes(p) ?? []))}`;
    const other = names.get(key);
    if (other !== undefined) v.problem("hash-twice", `${v.dentry(p)} and ${hex(other)} have one name`);
    names.set(key, p);
  }
  v.equal(p, ((b << 1) | 1) >>> 0, "hash-end", () => `the end of chain ${b}`);
}
