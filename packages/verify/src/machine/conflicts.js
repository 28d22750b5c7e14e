/**
 * Which words several threads of a machine touch, one of them writing, and the signature of a run: the partial order of the
 * accesses to those words as two numbers.
 */
import { NOTIFY, READ, WRITE } from "./constants.js";

const MAX_CONFLICTS = 1 << 16;
/** Number of word 0, which no program touches: it stands for the state that hosts share. */
const HOSTS = 1;

export class Conflicts {
  /** @param {number} threads @param {number} words */
  constructor(threads, words) {
    /** Which words each thread has read (1) and written (2) in any run. */
    this.touched = Array.from({ length: threads }, () => new Uint8Array(words));
    /** Number of a conflicting word, 0: no other thread is known to care. */
    this.index = new Uint16Array(words);
    /** Words found conflicting since the last adopt(). @type {Set<number>} */
    this.found = new Set();
    /** By number: how often written in this run, and the last write's hash. */
    this.version = new Int32Array(1024);
    this.writerLo = new Int32Array(1024);
    this.writerHi = new Int32Array(1024);
    this.sigLo = 0;
    this.sigHi = 0;
    /** How many calls of each thread have ended. */
    this.ended = new Int32Array(threads);
    this.forget();
  }

  /** How many words are known. */
  get known() {
    return this.count - HOSTS - 1;
  }

  /** For other operations. */
  forget() {
    for (const touched of this.touched) touched.fill(0);
    this.index.fill(0);
    this.index[0] = HOSTS;
    this.count = HOSTS + 1;
    this.found.clear();
  }

  /** For a new run. */
  begin() {
    this.version.fill(0, 0, this.count);
    this.writerLo.fill(0, 0, this.count);
    this.writerHi.fill(0, 0, this.count);
    this.sigLo = 0;
    this.sigHi = 0;
    this.ended.fill(0);
  }

  touch(id, word, kind) {
    const mine = this.touched[id];
    const bits = kind & (READ | WRITE);
    if ((mine[word] & bits) === bits) return;
    mine[word] |= bits;
    for (let other = 0; other < this.touched.length; other++) {
      if (other === id) continue;
      const theirs = this.touched[other][word];
      if (theirs !== 0 && (theirs | mine[word]) & WRITE && this.index[word] === 0) this.found.add(word);
    }
  }

  /** Gives numbers to the words that were found; false: there were none. */
  adopt() {
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
  versions(word, last) {
    const v = this.version[this.index[word]];
    return word === last ? v : v + this.version[this.index[last]];
  }

  /** An access to the words `word` to `last` happens. */
  access(t, kind, address, word, last) {
    const { index, writerLo, writerHi, version } = this;
    t.events++;
    let lo = mix(t.id * 0x9e3779b1 + t.events, address * 16 + kind, 0x85ebca6b);
    let hi = mix(t.id * 0x7feb352d + t.events, address * 16 + kind, 0x2c1b3c6d);
    for (let w = word; w <= last; w++) {
      const i = index[w];
      if (i === 0) continue;
      lo = mix(lo, writerLo[i], 0xc2b2ae35);
      hi = mix(hi, writerHi[i], 0x297a2d39);
    }
    this.sigLo = (this.sigLo + lo) | 0;
    this.sigHi = (this.sigHi + hi) | 0;
    if ((kind & (WRITE | NOTIFY)) === 0) return;
    for (let w = word; w <= last; w++) {
      const i = index[w];
      if (i === 0) continue;
      writerLo[i] = lo;
      writerHi[i] = hi;
      version[i]++;
    }
  }

  /**
   * A call begins. Which calls of others have ended by then is part of the signature: what is over before something begins
   * is held against the answers.
   */
  callBegins(t) {
    t.events++;
    let lo = mix(t.id * 0x9e3779b1 + t.events, 0x1234567, 0x85ebca6b);
    let hi = mix(t.id * 0x7feb352d + t.events, 0x1234567, 0x2c1b3c6d);
    for (let id = 0; id < this.ended.length; id++) {
      if (id === t.id) continue;
      lo = mix(lo, this.ended[id], 0xc2b2ae35);
      hi = mix(hi, this.ended[id], 0x297a2d39);
    }
    this.sigLo = (this.sigLo + lo) | 0;
    this.sigHi = (this.sigHi + hi) | 0;
  }

  callEnds(t) {
    this.ended[t.id]++;
  }

  /** An event that is no access: a wake-up (by the last who touched `word`), a time-out, the decision to go on looking. */
  event(t, what, word = -1) {
    const i = word < 0 ? 0 : this.index[word];
    t.events++;
    const lo = mix(t.id * 0x9e3779b1 + t.events, what, 0x85ebca6b);
    const hi = mix(t.id * 0x7feb352d + t.events, what, 0x2c1b3c6d);
    this.sigLo = (this.sigLo + mix(lo, this.writerLo[i], 0xc2b2ae35)) | 0;
    this.sigHi = (this.sigHi + mix(hi, this.writerHi[i], 0x297a2d39)) | 0;
  }
}

function mix(a, b, k) {
  let h = Math.imul(a ^ Math.imul(b ^ (b >>> 15), 0x27d4eb2f), k);
  h ^= h >>> 13;
  h = Math.imul(h, 0x1b873593);
  return h ^ (h >>> 16);
}
