/**
 * The functions that the host supplies. Every thread passes its own when it instantiates the core. Only the debug build
 * imports `point`.
 */

/** Milliseconds since 1970, with a fraction. */
export declare function now(): f64;

/** A monotonic clock in milliseconds, the same for all threads. Timeouts use it, because the user may replace now(). */
export declare function clock(): f64;

/** Called for a broken invariant: the host throws. `a` is an address, or more about the `code`. */
export declare function panic(code: i32, a: i32): void;

/**
 * Called when the owner of the word at `word` has kept this thread waiting for longer than its limit (mem/wait.ts): the
 * host throws, and calls threadAbandon().
 */
export declare function timedOut(word: u32): void;

/**
 * Atomics.wait() on the word at `p` for at most `ms` milliseconds. Returns 0: woken; 1: the word was not `expected`; 2:
 * timed out. The host waits, because V8 11.3 (Node 20) miscompiles memory.atomic.wait32 in its baseline compiler:
 * locals that live across it are lost.
 */
export declare function wait(p: usize, expected: i32, ms: f64): i32;

/** Calls a driver's hook (DRIVER_OP). Returns a number >= 0 or -errno. */
export declare function driverCall(op: i32, driver: f64, a: f64, b: f64, c: f64, d: f64): f64;

/**
 * copy_from_user(): puts `n` bytes of the caller's data, from byte `done` on, at the address `to`. Returns 0 or -errno. Only a
 * write of more than IO_SIZE bytes calls it, with the file's locks held, in order. Runs no code but the host's own.
 */
export declare function copyFromUser(to: usize, done: u32, n: u32): i32;

/**
 * copy_to_user(): the same for a read: takes `n` bytes from the address `from`; 0: they are zeros. Also called by arenaCopy(), for bytes
 * whose address in the arena is `done`.
 */
export declare function copyToUser(from: usize, done: u32, n: u32): i32;

/** The security hook: 0 or -errno. `rcu` 1: the walk is in rcu mode; -ECHILD makes it ask again in ref mode. */
export declare function security(ino: f64, mask: i32, rcu: i32): i32;

/** Reports a lookup that succeeded. */
export declare function audit(dentry: u32, inode: u32): void;

/** Reports a tracepoint (tracepoints.ts). */
export declare function point(id: i32, a: u32, b: u32): void;
