/** Numbers that the core and its host exchange besides the results of system calls. */

/** Results of the host's `wait`. */
export const WAIT_OK = 0;
export const WAIT_NOT_EQUAL = 1;
export const WAIT_TIMED_OUT = 2;

/** The host's hooks, for `hostHooks`. */
export const HOST_SECURITY = 1;
export const HOST_AUDIT = 2;

/** Codes of the host's `panic`. `a` is the address of the lock or of the corrupt memory. */
export const PANIC_CORRUPT = 2;
export const PANIC_UNLOCK = 3;
/** A transaction takes more locks or sequences, or changes more words, than its undo log has room for. */
export const PANIC_LOG_FULL = 4;

/** Walk modes of a thread, set by `walkMode`. */
export const MODE_REF = 1;
export const MODE_NO_PREFIX_CACHE = 2;
/** Turns the prefix cache on in the debug build, where it is off by default. */
export const MODE_PREFIX_CACHE = 4;
/** The paths of all calls are resolved with RESOLVE_BENEATH, as those of openat2(2) that ask for it. */
export const MODE_BENEATH = 8;
