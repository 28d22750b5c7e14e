/**
 * The open of a FIFO that waits for the other end (Linux: wait_for_partner()). The file is an end of the pipe already, so that the other end finds it; its
 * descriptor is not open to any call (FD_OPENING). Only the thread that opens goes on with it: it waits in the core, or the host awaits the word and
 * asks again. Like any descriptor it ends with its context; and, if it still waits, with its thread.
 *
 * Guarantees: the thread waits without references, as for a transfer (wait.ts).
 */
import { EBADF } from "../../../abi/errno";
import { PIPE_WAITS } from "../../../abi/limits";
import { slot, tid } from "../../mem/thread";
import { hostWaits, isPast, timedOut, waitDeadline } from "../../mem/wait";
import { File, FMODE_READ, fdCloseOpening, fdOpened, fgetOpening, fput } from "../file/file";
import { SLOT_OPENS } from "../layout";
import { happened } from "../recovery/outcome";
import { enterActive, leaveActive } from "../recovery/quiescence";
import { acquireContext } from "../task/context-ref";
import { Context } from "../task/cred";
import { openingsSeen, partnerCame } from "./pipe";
import { expectChange, readersWord, showWord, sleepOnPipe, writersWord } from "./wait";

/** Notes whose open waits, and for what, in a file that no other thread knows. After pipeOpen(). */
export function fifoOpening(f: File): void {
  atomic.store<u32>(slot + SLOT_OPENS, 1);
  f.opener = tid;
  f.openings = openingsSeen;
}

/**
 * Goes on with an open that waits. Returns the descriptor, which is open now; -EBADF: it was closed with its context, or this thread has no such open; PIPE_WAITS: the host is to wait. A
 * thread that waits here and for too long has not opened the file: the descriptor is free again.
 */
export function fifoWait(context: Context, fd: i32): i32 {
  const number = context.number;
  let deadline: f64 = 0;
  let late = false;
  let c: Context | null = context;
  while (c != null) {
    const f = fgetOpening(c, fd);
    if (!f) return -EBADF;
    const i = f.inode;
    const reads = (f.mode & FMODE_READ) != 0;
    const word = reads ? readersWord(i) : writersWord(i);
    const seen = expectChange(word);
    if (partnerCame(i, reads, f.openings)) {
      const opened = fdOpened(c, fd, f);
      if (opened) happened(fd);
      fput(f);
      return opened ? fd : -EBADF;
    }
    fput(f);
    if (hostWaits()) {
      showWord(word, seen);
      return PIPE_WAITS;
    }
    if (late) {
      fifoCancel(c, fd);
      leaveActive();
      timedOut(word);
    }
    leaveActive();
    if (deadline == 0) deadline = waitDeadline();
    sleepOnPipe(word, seen, deadline);
    late = isPast(deadline);
    enterActive();
    c = acquireContext(number);
  }
  return -EBADF;
}

/** Takes an open that waits back. 0 or -EBADF. */
export function fifoCancel(c: Context, fd: i32): i32 {
  const f = fdCloseOpening(c, fd, tid);
  if (!f) return -EBADF;
  happened(0);
  fput(f);
  return 0;
}
