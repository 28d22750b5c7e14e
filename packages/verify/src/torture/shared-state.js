/**
 * What the threads of a torture run share beside the tree: one SharedArrayBuffer.
 *
 *   0       control words: state of the run, how many have come to its end
 *   4096    for each thread: counters (16 x f64) and a ring of its last calls
 *   ...     words of the names: what may be found where (stations)
 *
 * A ring's entry (256 bytes): number, operation, two numbers, answer as int32; from byte 32 on a path and from byte 144 on
 * a second one, cut to 112 bytes, each ending in NUL or at its room's end. The thread writes them, anybody reads them when
 * the run is over.
 */

export const STATE = 0;
/** Threads that have made their last turn. */
export const RESTING = 1;
/** Values of the state word. */
export const WAITING = 0;
export const RUNNING = 1;
export const STOPPED = 2;

const CONTROL = 4096;
const COUNTERS = 16;
const RING = 64;
const ENTRY = 256;
const PATH_ROOM = 112;
const PATH_AT = 32;
const PATH2_AT = PATH_AT + PATH_ROOM;
const THREAD = COUNTERS * 8 + RING * ENTRY;
const NAME_WORDS = 1 << 16;

/** Index of each counter of a thread. */
export const COUNT = { lookups: 0, found: 1, renames: 2, changes: 3, reads: 4, guests: 5, mounts: 6, turns: 7 };

/** The calls a ring knows, by their numbers. */
export const OPS = [
  "stat", "lstat", "access", "open", "read", "write", "close", "getdents", "readlink", "realpath", "mkdir", "rmdir",
  "unlink", "rename", "exchange", "link", "symlink", "chmod", "chown", "truncate", "utimes", "mount", "bind", "move",
  "umount", "chdir", "chroot", "getcwd", "contextCreate", "contextDestroy", "shrink", "synchronizeRcu", "setacl", "attach",
  "detach", "fs", "mknod", "lseek", "ftruncate", "fstat",
]; // biome-ignore format: a list of words
export const OP = Object.fromEntries(OPS.map((name, i) => [name, i]));

/** The answer of a call that has not come back. */
const PENDING = -0x7fffffff;

/** A board for so many threads. */
export function makeSharedState(threads) {
  return { buffer: new SharedArrayBuffer(CONTROL + threads * THREAD + NAME_WORDS * 4), threads };
}

export const controlOf = (sharedState) => new Int32Array(sharedState.buffer, 0, 16);

export const countersOf = (sharedState, thread) =>
  new Float64Array(sharedState.buffer, CONTROL + thread * THREAD, COUNTERS);

/** Words for the names, of which each station takes its part in the same order in every thread. */
export function nameWords(sharedState) {
  return new Int32Array(sharedState.buffer, CONTROL + sharedState.threads * THREAD, NAME_WORDS);
}

/** A thread's ring of its last calls. */
export class Ring {
  #words;
  #bytes;
  #number = 0;
  #at = 0;

  constructor(sharedState, thread) {
    const start = CONTROL + thread * THREAD + COUNTERS * 8;
    this.#words = new Int32Array(sharedState.buffer, start, (RING * ENTRY) / 4);
    this.#bytes = new Uint8Array(sharedState.buffer, start, RING * ENTRY);
  }

  /** A call is about to be made. Paths as makePath() gives them. */
  begin(op, a, b, path, path2) {
    const entry = this.#number++ & (RING - 1);
    const at = entry * (ENTRY / 4);
    const words = this.#words;
    this.#at = at;
    words[at] = this.#number;
    words[at + 1] = op;
    words[at + 2] = a;
    words[at + 3] = b;
    words[at + 4] = PENDING;
    const byte = entry * ENTRY;
    if (path) this.#bytes.set(path.short, byte + PATH_AT);
    else this.#bytes[byte + PATH_AT] = 0;
    if (path2) this.#bytes.set(path2.short, byte + PATH2_AT);
    else this.#bytes[byte + PATH2_AT] = 0;
  }

  /** It has answered. */
  end(answer) {
    this.#words[this.#at + 4] = answer;
    return answer;
  }

  /** The last calls as lines, oldest first. */
  lines(most = 12) {
    const entries = [];
    for (let i = 0; i < RING; i++) {
      const at = i * (ENTRY / 4);
      if (this.#words[at] !== 0) entries.push(i);
    }
    const number = (i) => this.#words[i * (ENTRY / 4)];
    entries.sort((x, y) => number(x) - number(y));
    return entries.slice(-most).map((i) => this.#line(i));
  }

  #text(at) {
    const room = this.#bytes.slice(at, at + PATH_ROOM);
    const end = room.indexOf(0);
    return new TextDecoder().decode(end < 0 ? room : room.subarray(0, end));
  }

  #line(i) {
    const [number, op, a, b, answer] = this.#words.subarray(i * (ENTRY / 4));
    const paths = [this.#text(i * ENTRY + PATH_AT), this.#text(i * ENTRY + PATH2_AT)].filter((path) => path !== "");
    const said = answer === PENDING ? "has not come back" : answer;
    return `${number} ${OPS[op]} ${[...paths, a, b].join(" ")} -> ${said}`;
  }
}

const encoder = new TextEncoder();

/** A path as the calls take it: its bytes with a NUL, and what a ring keeps of it. */
export function makePath(text) {
  const bytes = encoder.encode(`${text}\0`);
  return { text, bytes, length: bytes.length - 1, short: bytes.subarray(0, PATH_ROOM) };
}
