/** What the core and its host tell each other beside the results of system calls. */

/** Results of the host's `wait`. */
export const WAIT_OK = 0;
export const WAIT_NOT_EQUAL = 1;
export const WAIT_TIMED_OUT = 2;

/** Hooks of the host that `hostHooks` announces. */
export const HOST_SECURITY = 1;
export const HOST_AUDIT = 2;

/** Codes of the host's `panic`. `a` is the address of the lock, or of the memory that is corrupt. */
export const PANIC_LOCK = 1;
export const PANIC_CORRUPT = 2;
export const PANIC_UNLOCK = 3;
/** A transaction takes more locks or sequences, or changes more words, than an undo log has room for. */
export const PANIC_LOG_FULL = 4;

/** Modes of a thread's walks, set by `walkMode`. */
export const MODE_REF = 1;
export const MODE_NO_PREFIX_CACHE = 2;
/** Turns the prefix cache on in the debug build, where it is off by itself. */
export const MODE_PREFIX_CACHE = 4;
