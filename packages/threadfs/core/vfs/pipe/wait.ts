/**
 * Waiting for the other end of a pipe: the words that threads sleep on, and waking them.
 *
 * A word belongs to all inodes of a hash (docs/memory.md). Its bit 0 says that a thread may wait. A thread that is about to wait sets the bit, and
 * only then looks at the pipe once more. A thread that changes the pipe does so first, and then looks at the bit. Both are sequentially
 * consistent: so either the first one sees the change, or the second one sees the bit, changes the word and notifies.
 *
 * Guarantees: a thread that sleeps is quiescent and has no reference and no lock: recounts go on, and any descriptor may be closed meanwhile. It looks
 * again each second at the latest. If a thread dies between its change and its notification, the thread that recovers it notifies all words.
 */
import { REQUEST_SEEN, REQUEST_WORD } from "../../../abi/memory";
import * as SCRATCH from "../../../abi/scratch";
import * as host from "../../host";
import { canWait, scratch } from "../../mem/thread";
import { Inode } from "../inode/inode";
import { NR_PIPE_WORDS, PIPE_WORDS } from "../layout";

/** Set in a word on which a thread may wait. */
const WAITED: u32 = 1;
/** Looks at the word before the thread sleeps: as long as it takes the other end to copy a page or two. */
const SPINS: i32 = 1000;
/** A thread that sleeps becomes active again after this time, because a recount may be due that it alone can make. */
const SLEEP_MS: f64 = 1000;

/** The word on which readers of a pipe wait, and those who open it for reading. */
export function readersWord(i: Inode): usize {
  return PIPE_WORDS + (((<u32>i.at >> 7) & ((NR_PIPE_WORDS >> 1) - 1)) << 3);
}

/** The same for writers. */
export function writersWord(i: Inode): usize {
  return readersWord(i) + 4;
}

/** The thread is about to wait, unless what it waits for has come: it looks once more now. Returns the value that the word has until then. */
export function expectChange(word: usize): u32 {
  return atomic.or<u32>(word, WAITED) | WAITED;
}

/** After a change that threads may wait for, before its commit. True: the caller calls wake() after the commit. */
export function changed(word: usize): bool {
  if (!(atomic.load<u32>(word) & WAITED)) return false;
  atomic.add<u32>(word, 1);
  return true;
}

export function wake(word: usize): void {
  atomic.notify(word, -1);
}

/** A thread has died, perhaps between a change and wake(), or references were recounted: all that wait look again. */
export function wakeAllPipes(): void {
  for (let word = PIPE_WORDS; word < PIPE_WORDS + (NR_PIPE_WORDS << 2); word += 4) {
    if (changed(word)) wake(word);
    else atomic.notify(word, -1);
  }
}

/** Sleeps until a word has changed, or for a while. */
export function sleepOnPipe(word: usize, seen: u32, deadline: f64): void {
  for (let i = 0; i < SPINS; i++) if (atomic.load<u32>(word) != seen) return;
  const left = deadline - host.clock();
  if (canWait && left > 0) host.wait(word, <i32>seen, min(left, SLEEP_MS));
}

/** Tells the host which word to await. */
export function showWord(word: usize, seen: u32): void {
  store<u32>(scratch + SCRATCH.IO, <u32>word, REQUEST_WORD);
  store<u32>(scratch + SCRATCH.IO, seen, REQUEST_SEEN);
}
