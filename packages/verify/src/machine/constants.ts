/** Numbers that the machine and its controllers share. */

/** The effects of an instruction, bits of `kinds[site]`. */
export const READ = 1;
export const WRITE = 2;
export const ATOMIC = 4;
export const NOTIFY = 8;

/** States of a logical thread. */
export const IDLE = 0;
export const READY = 1;
export const SPINNING = 2;
export const BLOCKED = 3;
export const DONE = 4;
export const DEAD = 5;

/** Reasons to ask the controller: the thread stands before an access, */
export const AT_ACCESS = 0;
/** reads a word again that it has just read, */
export const AT_SPIN = 1;
/** sleeps or waits; */
export const AT_WAIT = 2;
/** no thread runs: the run begins, or the running thread has ended or died; */
export const AT_NO_THREAD = 3;
/** the next call of the thread has not begun: only with `callByCall`. */
export const AT_CALL = 4;
/** looks at the clock while it waits: only a thread that may not sleep. */
export const AT_LOOK = 5;

/** The controller lets the time limit of the thread pass that looks at the clock. */
export const LIMIT_PASSES = -2;
/** The controller stops the run here. */
export const ABANDON = -1;

/** The site of host.wait() in the log of accesses. */
export const WAIT_SITE = -1;
/** The site of host.clock() in the log of accesses. */
export const LOOK_SITE = -4;
