/**
 * Hashes and measures a name in one pass, eight bytes at a time, and finds NUL bytes in a path.
 *
 * The hash is of the NH family: each word is added to the key of its position, the halves of that sum are multiplied,
 * and the products are added up. So no step waits for the one before. The parent's address is mixed in at the end, so
 * that hashing need not wait for the parent to be found. The keys are random for each arena, so
 * that names that collide cannot be prepared in advance.
 */
import { NAME_MAX } from "../../abi/limits";
import { H_SALT, KEYS } from "./layout";

export const ONES: u64 = 0x0101010101010101;
export const HIGHS: u64 = 0x8080808080808080;
export const SLASH: u32 = 47;
export const DOT: u32 = 46;
export const SLASHES: u64 = 0x2f2f2f2f2f2f2f2f;

/**
 * Second return value of hashName(): the name's length in bytes. More than NAME_MAX: the name is too long and was not
 * hashed to its end.
 */
export let hashNameLen: u32 = 0;

/** Hashes the bytes at `p` up to "/" or NUL (reads up to 7 bytes more). Leaves the length in `hashNameLen`. */
export function hashName(p: usize): u64 {
  let sum: u64 = 0;
  let i: u32 = 0;
  while (true) {
    const w = load<u64>(p + i);
    const s = w ^ SLASHES;
    const end = (((w - ONES) & ~w) | ((s - ONES) & ~s)) & HIGHS;
    const k = KEYS + i;
    if (end != 0) {
      const bits = ctz<u64>(end) & 0x78; // the mark is the top bit of its byte
      const v = bits == 0 ? 0 : w & (((<u64>1) << bits) - 1);
      hashNameLen = i + <u32>(bits >> 3);
      return sum + mix(v, k) + <u64>hashNameLen;
    }
    sum += mix(w, k);
    i += 8;
    if (i > <u32>NAME_MAX) {
      hashNameLen = i;
      return sum;
    }
  }
}

/** Adds the key of its position to a word and multiplies the halves of the sum. */
export function mix(w: u64, k: usize): u64 {
  const s = w + load<u64>(k);
  return (s & 0xffffffff) * (s >> 32);
}

/** Mixes the bits of a name's sum early, so that only one addition depends on the parent. */
export function spread(sum: u64): u64 {
  return ((sum ^ (sum >> 32)) + load<u64>(H_SALT)) * 0xd6e8feb86659fd93;
}

/** The hash of a name, the top half of the sum, in the directory whose dentry is at `parent`. */
export function hashInParent(spreadSum: u64, parent: usize): u32 {
  return <u32>((spreadSum + <u64>parent * 0x9e3779b97f4a7c15) >> 32);
}

/** Hash (low half) and length (high half) of a name in the directory `parent`, as a dentry keeps them. */
export function hashLen(raw: u64, len: u32, parent: usize): u64 {
  return ((<u64>len) << 32) | <u64>hashInParent(spread(raw), parent);
}

/**
 * Marks bytes that a string of JSON cannot have as they are, or that are no ASCII, by their top bits; only the lowest mark is sure to be
 * right. Bytes with their top bit, control characters, quotes, backslashes.
 */
export function oddBytes(w: u64): u64 {
  return (w | (w - ONES * 0x20) | ((w ^ (ONES * 0x22)) - ONES) | ((w ^ (ONES * 0x5c)) - ONES)) & HIGHS;
}

/**
 * Whether there is a NUL among the `len` bytes at `p` (reads up to 7 bytes more). A path may not contain one: the walk
 * would end there.
 */
export function hasNul(p: usize, len: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= len; i += 8) {
    const w = load<u64>(p + i);
    if ((w - ONES) & ~w & HIGHS) return true;
  }
  const rest = len - i;
  if (rest == 0) return false;
  const w = load<u64>(p + i) | (~(<u64>0) << (rest << 3));
  return ((w - ONES) & ~w & HIGHS) != 0;
}
