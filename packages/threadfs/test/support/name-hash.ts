/** Names that fall on one hash. The hash is that of core/mem/hash.ts; checkHash() notices when that one changes. */

import assert from "node:assert/strict";
import { KEYS } from "../../../verify/dist/arena/layout.js";
import { H_SALT } from "../../dist/abi/abi.js";
import type { Vfs } from "../../dist/src/index.js";
import type { HookedVfs } from "./hooked-vfs.js";
import { dentryOf, memoryOf } from "./memory.js";

/** A 64-bit number in two halves. */
type Wide = readonly [high: number, low: number];

/** High word of the product of two 32-bit numbers. */
function highOfProduct(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16] as const;
  const middle = a1 * b0 + Math.floor((a0 * b0) / 0x10000);
  const middle2 = a0 * b1 + (middle % 0x10000);
  return a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(middle2 / 0x10000);
}

/** A product, of which only the low 64 bits stay. */
function product([high, low]: Wide, [high2, low2]: Wide): Wide {
  const top = (highOfProduct(low, low2) + Math.imul(high, low2) + Math.imul(low, high2)) >>> 0;
  return [top, Math.imul(low, low2) >>> 0];
}

function sum([high, low]: Wide, [high2, low2]: Wide): Wide {
  const s = low + low2;
  return [(high + high2 + (s > 0xffffffff ? 1 : 0)) >>> 0, s >>> 0];
}

const GOLDEN: Wide = [0x9e3779b9, 0x7f4a7c15];
const SPREAD: Wide = [0xd6e8feb8, 0x6659fd93];

/** The core's hash with the keys of one tree, up to where the directory comes in. */
interface Hashing {
  /** Of a name of at most 7 bytes of ASCII. */
  name(text: string): Wide;
  /** Of a number that a driver's hash hook returned. */
  number(n: number): Wide;
}

function hashing(vfs: Vfs): Hashing {
  const { word } = memoryOf(vfs);
  const wide = (address: number): Wide => [word(address + 4), word(address)];
  const [key, salt] = [wide(KEYS), wide(H_SALT)] as const;
  const spread = ([high, low]: Wide) => product(sum([high, (low ^ high) >>> 0], salt), SPREAD);
  return {
    name(text) {
      const at = (i: number) => (i < text.length ? text.charCodeAt(i) : 0);
      const high = at(4) | (at(5) << 8) | (at(6) << 16);
      const low = (at(0) | (at(1) << 8) | (at(2) << 16) | (at(3) << 24)) >>> 0;
      const [h, l] = sum([high, low], key);
      return spread(sum([highOfProduct(l, h), Math.imul(l, h) >>> 0], [0, text.length]));
    },
    number: (n) => spread(product([0, n], GOLDEN)),
  };
}

function ofParent(dentry: number): Wide {
  return product([0, dentry], GOLDEN);
}

function inParent(hash: Wide, parent: Wide): number {
  return sum(hash, parent)[0];
}

/** The hash that a name has in the directory whose dentry is at `parent`. */
export function hashOf(vfs: Vfs, parent: number, name: string): number {
  return inParent(hashing(vfs).name(name), ofParent(parent));
}

interface TwinSearch<T> {
  candidate(n: number): T;
  hash(candidate: T): Wide;
  accept(hash: number): boolean;
}

/** The first of these two candidates has the same hash, one that is accepted, in directory `a` as the second in `b`. */
function twins<T>({ candidate, hash, accept }: TwinSearch<T>, a: number, b: number): [T, T] {
  const [parentA, parentB] = [ofParent(a), ofParent(b)];
  const inA = new Map<number, number>();
  const inB = new Map<number, number>();
  for (let n = 1; n < 1_000_000; n++) {
    const h = hash(candidate(n));
    const [hashA, hashB] = [inParent(h, parentA), inParent(h, parentB)];
    const [withB, withA] = [inB.get(hashA), inA.get(hashB)];
    if (withB !== undefined && accept(hashA)) return [candidate(n), candidate(withB)];
    if (withA !== undefined && accept(hashB)) return [candidate(withA), candidate(n)];
    inA.set(hashA, n);
    inB.set(hashB, n);
  }
  throw new Error("no two of a million have one hash");
}

/** Two names of one length: the first has the same hash in directory `a` as the second in directory `b`. No file is made. */
export function twinNames(
  vfs: Vfs,
  a: number,
  b = a,
  accept: (hash: number) => boolean = () => true,
): [string, string] {
  const candidate = (n: number) => `n${n.toString(36).padStart(5, "0")}`;
  return twins({ candidate, hash: hashing(vfs).name, accept }, a, b);
}

/** The same for the numbers that a driver's hash hook may return. */
export function twinHashes(vfs: Vfs, a: number, b: number): [number, number] {
  return twins({ candidate: (n) => n, hash: hashing(vfs).number, accept: () => true }, a, b);
}

/** Checks the copy of the hash against an entry of the tree, so that a change of the core's is noticed here. */
export function checkHash(vfs: HookedVfs, directory: string, name: string): void {
  const parent = dentryOf(vfs, directory);
  const entry = dentryOf(vfs, `${directory}/${name}`);
  assert.equal(memoryOf(vfs).hash(entry), hashOf(vfs, parent, name), "the hash in this file is no longer the core's");
}
