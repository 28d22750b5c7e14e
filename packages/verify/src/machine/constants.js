/** Numbers that machine.js and those who steer it share. */

/** What an instruction does, bits of `kinds[site]`. */
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

/** Why the controller is asked. */
export const AT_ACCESS = 0;
/** The thread looks again at what it has just seen. */
export const AT_SPIN = 1;
/** The thread sleeps or waits. */
export const AT_WAIT = 2;
/** Nobody is running: the start, or the one who ran has ended or died. */
export const AT_NO_THREAD = 3;
/** The thread's next call has not begun yet; only asked where calls are taken one by one. */
export const AT_CALL = 4;

/** The controller's answer: stop here, nobody goes on. */
export const ABANDON = -1;

/** In the log of accesses: the host's wait. */
export const WAIT_SITE = -1;
