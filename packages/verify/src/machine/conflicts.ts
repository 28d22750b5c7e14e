/**
 * The conflicting words of a machine, which several threads access and one of them writes, and the signature of a run: the partial
 * order of the accesses to those words as two numbers.
 *
 * Reads of typed arrays are cast `as number`: their indices are in bounds by construction, and this code runs at each access.
 */
import { NOTIFY, READ, WRITE } from "./constants.js";
import type { LogicalThread } from "./logical-thread.js";

const MAX_CONFLICTS = 1 << 16;
/** Number of word 0, which no program accesses: it stands for the state that the hosts of all threads share. */
const HOSTS = 1;

export class Conflicts {
  /** By thread and word: whether the thread has read it (1) and written it (2) in any run. */
  readonly touched: Uint8Array[];
  /** Number of a conflicting word; 0: it is not known to be one. */
  readonly index: Uint16Array;
  /** Words found conflicting since the last adopt(). */
  readonly found = new Set<number>();
  /** By number: how often the word was written in this run, and the hash of the last write. */
  version = new Int32Array(1024);
  writerLo = new Int32Array(1024);
  writerHi = new Int32Array(1024);
  sigLo = 0;
  sigHi = 0;
  /** How many calls of each thread have ended. */
  readonly ended: Int32Array;
  /** The next number of a word. */
  count = 0;

  constructor(threads: number, words: number) {
    this.touched = Array.from({ length: threads }, () => new Uint8Array(words));
    this.index = new Uint16Array(words);
    this.ended = new Int32Array(threads);
    this.forget();
  }

  /** How many words are known. */
  get known(): number {
    return this.count - HOSTS - 1;
  }

  /** Before other operations. */
  forget(): void {
    for (const touched of this.touched) touched.fill(0);
    this.index.fill(0);
    this.index[0] = HOSTS;
    this.count = HOSTS + 1;
    this.found.clear();
  }

  /** Before a new run. */
  begin(): void {
    this.version.fill(0, 0, this.count);
    this.writerLo.fill(0, 0, this.count);
    this.writerHi.fill(0, 0, this.count);
    this.sigLo = 0;
    this.sigHi = 0;
    this.ended.fill(0);
  }

  touch(id: number, word: number, kind: number): void {
    const mine = this.touched[id] as Uint8Array;
    const bits = kind & (READ | WRITE);
    const before = mine[word] as number;
    if ((before & bits) === bits) return;
    const now = before | bits;
    mine[word] = now;
    for (let other = 0; other < this.touched.length; other++) {
      if (other === id) continue;
      const theirs = (this.touched[other] as Uint8Array)[word] as number;
      if (theirs !== 0 && (theirs | now) & WRITE && this.index[word] === 0) this.found.add(word);
    }
  }

  /** Gives numbers to the words that were found; false: there were none. */
  adopt(): boolean {
    if (this.found.size === 0) return false;
    for (const word of this.found) {
      if (this.count === MAX_CONFLICTS) throw new Error("conflicts: more words than numbers for them");
      this.index[word] = this.count++;
    }
    this.found.clear();
    if (this.count > this.version.length) {
      const room = this.count * 2;
      this.version = new Int32Array(room);
      this.writerLo = new Int32Array(room);
      this.writerHi = new Int32Array(room);
    }
    return true;
  }

  /** Changes with every write to one of the two words. */
  versions(word: number, last: number): number {
    const v = this.version[this.index[word] as number] as number;
    return word === last ? v : v + (this.version[this.index[last] as number] as number);
  }

  /** An access to the words `word` to `last` happens. */
  access(t: LogicalThread, kind: number, address: number, word: number, last: number): void {
    const { index, writerLo, writerHi, version } = this;
    t.events++;
    let lo = mix(t.id * 0x9e3779b1 + t.events, address * 16 + kind, 0x85ebca6b);
    let hi = mix(t.id * 0x7feb352d + t.events, address * 16 + kind, 0x2c1b3c6d);
    for (let w = word; w <= last; w++) {
      const i = index[w] as number;
      if (i === 0) continue;
      lo = mix(lo, writerLo[i] as number, 0xc2b2ae35);
      hi = mix(hi, writerHi[i] as number, 0x297a2d39);
    }
    this.sigLo = (this.sigLo + lo) | 0;
    this.sigHi = (this.sigHi + hi) | 0;
    if ((kind & (WRITE | NOTIFY)) === 0) return;
    for (let w = word; w <= last; w++) {
      const i = index[w] as number;
      if (i === 0) continue;
      writerLo[i] = lo;
      writerHi[i] = hi;
      version[i] = (version[i] as number) + 1;
    }
  }

  /**
   * A call begins. The calls of other threads that have ended by then are part of the signature: the judge takes the order of
   * calls that do not overlap into account.
   */
  callBegins(t: LogicalThread): void {
    t.events++;
    let lo = mix(t.id * 0x9e3779b1 + t.events, 0x1234567, 0x85ebca6b);
    let hi = mix(t.id * 0x7feb352d + t.events, 0x1234567, 0x2c1b3c6d);
    for (let id = 0; id < this.ended.length; id++) {
      if (id === t.id) continue;
      lo = mix(lo, this.ended[id] as number, 0xc2b2ae35);
      hi = mix(hi, this.ended[id] as number, 0x297a2d39);
    }
    this.sigLo = (this.sigLo + lo) | 0;
    this.sigHi = (this.sigHi + hi) | 0;
  }

  callEnds(t: LogicalThread): void {
    this.ended[t.id] = (this.ended[t.id] as number) + 1;
  }

  /** An event that is no access: a wake-up (by the last writer of `word`), a time-out, the decision to keep spinning. */
  event(t: LogicalThread, what: number, word = -1): void {
    const i = word < 0 ? 0 : (this.index[word] as number);
    t.events++;
    const lo = mix(t.id * 0x9e3779b1 + t.events, what, 0x85ebca6b);
    const hi = mix(t.id * 0x7feb352d + t.events, what, 0x2c1b3c6d);
    this.sigLo = (this.sigLo + mix(lo, this.writerLo[i] as number, 0xc2b2ae35)) | 0;
    this.sigHi = (this.sigHi + mix(hi, this.writerHi[i] as number, 0x297a2d39)) | 0;
  }
}

function mix(a: number, b: number, k: number): number {
  let h = Math.imul(a ^ Math.imul(b ^ (b >>> 15), 0x27d4eb2f), k);
  h ^= h >>> 13;
  h = Math.imul(h, 0x1b873593);
  return h ^ (h >>> 16);
}
