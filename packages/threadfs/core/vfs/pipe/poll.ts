/**
 * poll(2) of a pipe (Linux: pipe_poll()): looks, and waits for nothing. A caller that gets no event waits on the word that is left for it in the scratch area: it
 * says, before it looks, that it is about to wait (wait.ts).
 */
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../../abi/flags";
import { POLL_BYTES } from "../../../abi/memory";
import * as SCRATCH from "../../../abi/scratch";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { scratch } from "../../mem/thread";
import { File, FMODE_READ, FMODE_WRITE } from "../file/file";
import { countReaders, countWriters, openPipe, Pipe, SLOT_BYTES } from "./pipe";
import { expectChange, readersWord, showWord, writersWord } from "./wait";

/**
 * POLLIN if there are bytes, POLLHUP if there is no writer, POLLOUT if a page is free, POLLERR if there is no reader. A FIFO that was opened with O_NONBLOCK and never
 * had a writer has POLLHUP too, where Linux has nothing: a read of it does not wait either.
 */
export function pipePoll(f: File, events: u32): i32 {
  const i = f.inode;
  const p = openPipe(i);
  const reads = (f.mode & FMODE_READ) != 0 && (events & POLLIN) != 0;
  const word = reads ? readersWord(i) : writersWord(i);
  let r: u32 = 0;
  mutexLock(i.mutex);
  const seen = expectChange(word);
  const bytes = bytesOf(p);
  if (reads) {
    if (bytes != 0) r |= POLLIN;
    if (countWriters(i, p) == 0) r |= POLLHUP;
  }
  if (f.mode & FMODE_WRITE) {
    if (events & POLLOUT && p.occupancy < p.ringSize) r |= POLLOUT;
    if (countReaders(i, p) == 0) r |= POLLERR;
  }
  mutexUnlock(i.mutex);
  showWord(word, seen);
  store<f64>(scratch + SCRATCH.IO, <f64>bytes, POLL_BYTES);
  return <i32>r;
}

/** Bytes that can be read. Under i_mutex. */
function bytesOf(p: Pipe): u32 {
  const pages = p.occupancy;
  const tail = p.tail;
  let bytes: u32 = 0;
  for (let k: u32 = 0; k < pages; k++) bytes += load<u16>(p.slotAt(tail + k), SLOT_BYTES + 2);
  return bytes;
}
