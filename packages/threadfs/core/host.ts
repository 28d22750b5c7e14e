/**
 * What the core asks of its host. Every thread supplies these when it instantiates the core; `point` is imported by
 * the debug build alone.
 */

/** Milliseconds since 1970 with their fraction. */
export declare function now(): f64;

/**
 * Milliseconds that only go forward, the same for every thread: how long something has stood still is measured with it, whatever
 * a user's now() says.
 */
export declare function clock(): f64;

/** A broken invariant or a lock that nobody gives back: the host throws. `a` says more. */
export declare function panic(code: i32, a: i32): void;

/**
 * Atomics.wait() on the word at `p` for at most `ms` milliseconds: 0 woken, 1 it was not `expected`, 2 timed out. The host
 * waits because V8 11.3 (Node 20) miscompiles memory.atomic.wait32 in its baseline tier: locals that live across it are lost.
 */
export declare function wait(p: usize, expected: i32, ms: f64): i32;

/** A driver's hook, see DRIVER_OP. Answers >= 0 or -errno. */
export declare function driverCall(op: i32, driver: i32, a: f64, b: f64, c: f64, d: f64): f64;

/** The security hook: 0 or -errno; `rcu` 1 when the walk may not be kept waiting (-ECHILD: ask again in ref mode). */
export declare function security(ino: f64, mask: i32, rcu: i32): i32;

/** A lookup succeeded. */
export declare function audit(dentry: u32, inode: u32): void;

/** The debug build passes a named place, see tracepoints.ts. */
export declare function point(id: i32, a: u32, b: u32): void;
