/**
 * The order of names by their bytes, as libuv's scandir has it. Comparing 20,000 strings pairwise takes longer than all else that a listing
 * does, so names are sorted by five bytes at a time: these and the name's number make an integer, and typed arrays sort integers natively.
 */

import { SCAN_ALIGN, SCAN_NAME, SCAN_NAME_LENGTH } from "../../../abi/memory.js";

/** Up to this many names comparing is faster. */
const FEW = 24;
/** Bytes of a name in a key. */
const KEY_BYTES = 5;
/** Bits of a name's number in a key, and the names that can be numbered. */
const NUMBER_BITS = 24;
const MANY = 1 << NUMBER_BITS;
/** An entry has at least so many bytes. */
const ENTRY_MIN = 8;
/** The memory for so many names is kept for the next listing. */
const KEPT = 1 << 14;
/** The index of the lower half of an integer. */
const LOW = /* @__PURE__ */ new Uint8Array(/* @__PURE__ */ Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1;

/** Memory for the entries of a listing and their order. */
export interface Entries {
  /** As the core writes them (SCAN_NAME in abi/memory.ts). */
  bytes: Uint8Array;
  count: number;
  /** Where each begins in `bytes`; like the other arrays it may be longer than `count`. */
  readonly starts: Uint32Array;
  /** The numbers of the entries, in the order of their names. */
  readonly order: Uint32Array;
  readonly keys: BigUint64Array;
  /** The keys as halves. */
  readonly halves: Uint32Array;
}

let kept: Entries | undefined;

function roomFor(names: number): Entries {
  if (kept !== undefined && kept.starts.length >= names) return kept;
  const size = Math.max(FEW, names);
  const keys = new BigUint64Array(size);
  const halves = new Uint32Array(keys.buffer);
  const [starts, order] = [new Uint32Array(size), new Uint32Array(size)];
  const room: Entries = { bytes: NO_BYTES, count: 0, starts, order, keys, halves };
  if (size <= KEPT) kept = room;
  return room;
}

const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);

/** Where the entry behind one begins. */
export function nextEntry(bytes: Uint8Array, at: number): number {
  return (at + SCAN_NAME + (bytes[at + SCAN_NAME_LENGTH] as number) + 2 + SCAN_ALIGN - 1) & ~(SCAN_ALIGN - 1);
}

/** The first bytes of a name's key, as a number of 32 bits. The name has `left` bytes at `next`; behind them are zeros, which no name has. */
function highKey(bytes: Uint8Array, next: number, left: number): number {
  if (left >= KEY_BYTES) {
    // The casts say that these are in the name.
    const two = ((bytes[next] as number) << 24) | ((bytes[next + 1] as number) << 16);
    return two | ((bytes[next + 2] as number) << 8) | (bytes[next + 3] as number);
  }
  let high = 0;
  for (let n = 0; n < KEY_BYTES - 1; n++) high = (high << 8) | (n < left ? (bytes[next + n] as number) : 0);
  return high;
}

function putKey({ bytes, halves }: Entries, place: number, number: number, start: number, at: number): void {
  const left = (bytes[start + SCAN_NAME_LENGTH] as number) - at;
  const next = start + SCAN_NAME + at;
  halves[2 * place + (1 - LOW)] = highKey(bytes, next, left);
  const last = left >= KEY_BYTES ? (bytes[next + KEY_BYTES - 1] as number) : 0;
  halves[2 * place + LOW] = (last << NUMBER_BITS) | number;
}

/** Sorts the places from `from` to before `to`, whose keys are those of their names from byte `at` on, before which they are the same. */
function sortKeys(entries: Entries, from: number, to: number, at: number): void {
  const { order, keys, halves } = entries;
  keys.subarray(from, to).sort();
  for (let place = from; place < to; place++) order[place] = (halves[2 * place + LOW] as number) & (MANY - 1);
  // Names with the same key are sorted by what follows. Their keys are overwritten then, those of the other places are not.
  for (let place = from, first = from; place < to; place++) {
    if (place + 1 < to && sameKey(halves, place, place + 1)) continue;
    if (place > first) sortPlaces(entries, first, place + 1, at + KEY_BYTES);
    first = place + 1;
  }
}

function sameKey(halves: Uint32Array, a: number, b: number): boolean {
  if (halves[2 * a + (1 - LOW)] !== halves[2 * b + (1 - LOW)]) return false;
  return (halves[2 * a + LOW] as number) >>> NUMBER_BITS === (halves[2 * b + LOW] as number) >>> NUMBER_BITS;
}

/** Sorts the places from `from` to before `to`, whose names have the same first `depth` bytes. */
function sortPlaces(entries: Entries, from: number, to: number, depth: number): void {
  const { starts, order } = entries;
  if (to - from <= FEW) {
    insert(entries, from, to, depth);
    return;
  }
  const at = depth + commonBytes(entries, from, to, depth);
  for (let place = from; place < to; place++) {
    const number = order[place] as number;
    putKey(entries, place, number, starts[number] as number, at);
  }
  sortKeys(entries, from, to, at);
}

/** How many bytes from `depth` on names have in common. */
function commonBytes({ bytes, starts, order }: Entries, from: number, to: number, depth: number): number {
  const first = starts[order[from] as number] as number;
  const a = first + SCAN_NAME + depth;
  let common = (bytes[first + SCAN_NAME_LENGTH] as number) - depth;
  for (let place = from + 1; place < to && common > 0; place++) {
    const start = starts[order[place] as number] as number;
    const b = start + SCAN_NAME + depth;
    common = Math.min(common, (bytes[start + SCAN_NAME_LENGTH] as number) - depth);
    let same = 0;
    while (same < common && bytes[a + same] === bytes[b + same]) same++;
    common = same;
  }
  return common;
}

function insert(entries: Entries, from: number, to: number, depth: number): void {
  const { order } = entries;
  for (let place = from + 1; place < to; place++) {
    const number = order[place] as number;
    let at = place;
    while (at > from && compare(entries, number, order[at - 1] as number, depth) < 0) {
      order[at] = order[at - 1] as number;
      at--;
    }
    order[at] = number;
  }
}

/** Compares two names from byte `depth` on. */
function compare({ bytes, starts }: Entries, a: number, b: number, depth: number): number {
  const startA = starts[a] as number;
  const startB = starts[b] as number;
  const lengthA = bytes[startA + SCAN_NAME_LENGTH] as number;
  const lengthB = bytes[startB + SCAN_NAME_LENGTH] as number;
  const length = Math.min(lengthA, lengthB);
  for (let i = depth; i < length; i++) {
    const difference = (bytes[startA + SCAN_NAME + i] as number) - (bytes[startB + SCAN_NAME + i] as number);
    if (difference !== 0) return difference;
  }
  return lengthA - lengthB;
}

/**
 * The entries of a directory, as the core has written them, in the order of their names' bytes. Valid until the next call.
 * @param all the bytes of the entries
 * @param common the bytes with which all names begin
 */
export function sortedEntries(bytes: Uint8Array, all: number, common: number): Entries {
  const entries = roomFor(Math.floor(all / ENTRY_MIN));
  const { starts, order } = entries;
  entries.bytes = bytes;
  let count = 0;
  // The core writes whole entries. Where there are many the keys are made in the same pass, because most of a listing's time goes by names.
  for (let at = 0; at < all; at = nextEntry(bytes, at)) {
    starts[count] = at;
    order[count] = count;
    if (count >= FEW) putKey(entries, count, count, at, common);
    count++;
  }
  if (count > FEW) for (let n = 0; n < FEW; n++) putKey(entries, n, n, starts[n] as number, common);
  entries.count = count;
  if (count <= FEW) insert(entries, 0, count, common);
  else if (count < MANY) sortKeys(entries, 0, count, common);
  else order.subarray(0, count).sort((a, b) => compare(entries, a, b, common));
  return entries;
}
