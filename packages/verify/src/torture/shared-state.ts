/**
 * The memory that the threads of a torture run share beside the tree: one SharedArrayBuffer.
 *
 *   0       control words: state of the run, how many threads have made their last turn
 *   2048    eras of the drivers' directories that go stale (twin-driver.ts)
 *   4096    for each thread: counters (16 x f64) and a ring of its last calls
 *   ...     words of the names: which generation may be found where (see Tracked in file-stamp.ts)
 *
 * A ring's entry (256 bytes): number, operation, two numbers, result as int32; from byte 32 on a path and from byte 144 on
 * a second one, cut to 112 bytes, each ending in NUL or at its room's end. The thread writes them, any thread reads them when
 * the run is over.
 *
 * Reads of typed arrays are cast to numbers: their indices are computed from the sizes above.
 */
import { TWINS } from "../workload/twin-driver.js";

export const STATE = 0;
/** Threads that have made their last turn. */
export const RESTING = 1;
/** Values of the state word; 0 before the run. */
export const RUNNING = 1;
export const STOPPED = 2;

const ERAS = 2048;
const CONTROL = 4096;
const COUNTERS = 16;
const RING = 64;
const ENTRY = 256;
const ENTRY_WORDS = ENTRY / 4;
const PATH_ROOM = 112;
const PATH_AT = 32;
const PATH2_AT = PATH_AT + PATH_ROOM;
const THREAD = COUNTERS * 8 + RING * ENTRY;
const NAME_WORDS = 1 << 16;

/** Index of each counter of a thread. */
export const COUNT = {
  lookups: 0,
  found: 1,
  renames: 2,
  changes: 3,
  reads: 4,
  guests: 5,
  mounts: 6,
  turns: 7,
} as const;
export type CountIndex = (typeof COUNT)[keyof typeof COUNT];

/** The calls a ring knows, by their numbers. */
// biome-ignore format: a list of words
export const OPS = [
  "stat", "lstat", "access", "open", "read", "write", "close", "getdents", "readlink", "realpath", "mkdir", "rmdir",
  "unlink", "rename", "exchange", "link", "symlink", "chmod", "chown", "truncate", "utimes", "mount", "bind", "move",
  "umount", "chdir", "chroot", "getcwd", "contextCreate", "contextDestroy", "shrink", "synchronizeRcu", "setacl", "attach",
  "detach", "fs", "mknod", "lseek", "ftruncate", "fstat",
] as const;
export type OpName = (typeof OPS)[number];
export const OP = Object.fromEntries(OPS.map((name, i) => [name, i])) as Readonly<Record<OpName, number>>;

/** The result of a call that has not returned. */
const PENDING = -0x7fffffff;

/** Shared memory for so many threads. */
export interface SharedState {
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
}

export function makeSharedState(threads: number): SharedState {
  return { buffer: new SharedArrayBuffer(CONTROL + threads * THREAD + NAME_WORDS * 4), threads };
}

export function controlOf(sharedState: SharedState): Int32Array {
  return new Int32Array(sharedState.buffer, 0, 16);
}

/** The eras of the driver whose directories go stale. */
export function erasOf({ buffer }: { buffer: ArrayBufferLike }): Int32Array {
  return new Int32Array(buffer, ERAS, TWINS);
}

/** The counters of one thread; no other thread changes them. */
export class Counts {
  readonly #values: Float64Array;

  constructor(sharedState: SharedState, thread: number) {
    this.#values = new Float64Array(sharedState.buffer, CONTROL + thread * THREAD, COUNTERS);
  }

  get(which: CountIndex): number {
    return this.#values[which] as number;
  }

  /** Returns the value before. */
  add(which: CountIndex, n = 1): number {
    const before = this.#values[which] as number;
    this.#values[which] = before + n;
    return before;
  }
}

/** Words for the names; in every thread the workloads take their parts of them in the same order. */
export function nameWords(sharedState: SharedState): Int32Array {
  return new Int32Array(sharedState.buffer, CONTROL + sharedState.threads * THREAD, NAME_WORDS);
}

/** A path as the calls take it. */
export interface Path {
  readonly text: string;
  /** With a NUL at the end. */
  readonly bytes: Uint8Array;
  /** Without the NUL. */
  readonly length: number;
  /** What a ring keeps of it. */
  readonly short: Uint8Array;
}

const encoder = new TextEncoder();

export function makePath(text: string): Path {
  const bytes = encoder.encode(`${text}\0`);
  return { text, bytes, length: bytes.length - 1, short: bytes.subarray(0, PATH_ROOM) };
}

/** A thread's ring of its last calls. */
export class Ring {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  #number = 0;
  #at = 0;

  constructor(sharedState: SharedState, thread: number) {
    const start = CONTROL + thread * THREAD + COUNTERS * 8;
    this.#words = new Int32Array(sharedState.buffer, start, (RING * ENTRY) / 4);
    this.#bytes = new Uint8Array(sharedState.buffer, start, RING * ENTRY);
  }

  /** Records a call that is about to begin. */
  begin(op: number, a: number, b: number, path?: Path, path2?: Path): void {
    const entry = this.#number++ & (RING - 1);
    const at = entry * ENTRY_WORDS;
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

  /** Records that the call has returned. Returns its result. */
  end(result: number): number {
    this.#words[this.#at + 4] = result;
    return result;
  }

  /** The last calls as lines, oldest first. */
  lines(most = 12): string[] {
    const number = (entry: number) => this.#words[entry * ENTRY_WORDS] as number;
    const entries = Array.from({ length: RING }, (_, entry) => entry).filter((entry) => number(entry) !== 0);
    entries.sort((x, y) => number(x) - number(y));
    return entries.slice(-most).map((entry) => this.#line(entry));
  }

  #text(at: number): string {
    const room = this.#bytes.slice(at, at + PATH_ROOM);
    const end = room.indexOf(0);
    return new TextDecoder().decode(end < 0 ? room : room.subarray(0, end));
  }

  #line(entry: number): string {
    const [number, op = -1, a, b, result] = this.#words.subarray(entry * ENTRY_WORDS);
    const texts = [this.#text(entry * ENTRY + PATH_AT), this.#text(entry * ENTRY + PATH2_AT)];
    const paths = texts.filter((path) => path !== "");
    const end = result === PENDING ? "has not come back" : result;
    return `${number} ${OPS[op]} ${[...paths, a, b].join(" ")} -> ${end}`;
  }
}
