/**
 * The memory that the threads of a program share: its words, and what names a thread in it.
 *
 * Words (u32 each): 0 exit: 0 while the program runs, then 1, and 1 its exit code, which are written as one   2 hint: no number below it is free   3 next id of a thread
 *   4 the thread that settles what others have left, 0: none
 *   8: for each slot of the tree two words, written as one, by which its thread is given work (threads.ts), then entries of ENTRY words, one for each number of a descriptor
 *
 * An entry:
 *   0 what it is: FREE; a descriptor of the context + CONTEXT_FD; HOST_FD + 0 to 2: a stream of the host; below 0: the thread that is about to change it, with MOVING if that
 *     is fd_renumber
 *   1 info: the type of the file (FILETYPE), LENT, and in the upper 16 bits the number of the preopen + 1, 0: it is none
 *   2 rights   3 inheriting rights
 *   4 and 5 the tag of the file in the tree, 0: none   6 what it is when it is open   7 partner, and 8 and 9 the tag of what is replaced: of fd_renumber
 */
import { MAX_THREADS, SLOT_GENERATION, SLOT_SIZE, SLOTS } from "../../abi/memory.js";
import type { Attachment } from "../bridge/attachment.js";

/** As many as a context has. */
export const FD_MAX = 16_384;

export const WORD = { EXIT: 0, CODE: 1, HINT: 2, NEXT_ID: 3, SETTLING: 4 } as const;
const FIRST_WORKER = 8;
const FIRST_ENTRY = FIRST_WORKER + 2 * MAX_THREADS;
const ENTRY = 10;
export const ENTRY_WORD = {
  INFO: 1,
  RIGHTS: 2,
  INHERITING: 3,
  TAG_HIGH: 4,
  TAG_LOW: 5,
  OPEN_AS: 6,
  PARTNER: 7,
  OLD_TAG_HIGH: 8,
  OLD_TAG_LOW: 9,
} as const;
export const TABLE_BYTES = (FIRST_ENTRY + FD_MAX * ENTRY) * 4;

export const FREE = 0;
/** Streams of the host: standard input, output, error. */
export const HOST_FD = 2;
/** Descriptors of the context, from 0 on. */
export const CONTEXT_FD = 8;
/** Bit of a thread that changes an entry: by fd_renumber. */
export const MOVING = 1 << 30;

export const entryOf = (number: number): number => FIRST_ENTRY + number * ENTRY;
export const numberOf = (entry: number): number => (entry - FIRST_ENTRY) / ENTRY;
/** The two words of a slot's thread. */
export const workerAt = (slot: number): number => FIRST_WORKER + 2 * slot;

/** Two words as one. */
export const wide = (low: number, high: number): bigint =>
  BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt.asUintN(32, BigInt(low)));
export const lowOf = (both: bigint): number => Number(BigInt.asIntN(32, both));
export const highOf = (both: bigint): number => Number(BigInt.asIntN(32, both >> 32n));

/** A thread's name: below 0, the slot in the lowest bits, above it how many threads had that slot before. After so many of them a name is another's. */
const SLOT_BITS = 8;
const GENERATIONS = 1 << 22;
const slotOf = (name: number): number => name & (MAX_THREADS - 1);
const generationOf = (name: number): number => (name >>> SLOT_BITS) & (GENERATIONS - 1);

/** The calling thread, and what it can tell of others. */
export class TableThread {
  /** Its name. */
  readonly name: number;
  readonly #slots: Int32Array;

  constructor({ core, memory }: Attachment) {
    const number = core.threadNumber();
    const generation = Math.floor(number / MAX_THREADS) % GENERATIONS;
    this.name = -(2 ** 31) + generation * MAX_THREADS + (number % MAX_THREADS);
    this.#slots = new Int32Array(memory.buffer as SharedArrayBuffer, SLOTS, (MAX_THREADS * SLOT_SIZE) / 4);
  }

  get slot(): number {
    return slotOf(this.name);
  }

  /** Whether a thread has left its slot: it has detached, or it has died and has been recovered. */
  hasEnded(name: number): boolean {
    const at = (slotOf(name) * SLOT_SIZE + SLOT_GENERATION) / 4;
    return (Atomics.load(this.#slots, at) & (GENERATIONS - 1)) !== generationOf(name);
  }
}
