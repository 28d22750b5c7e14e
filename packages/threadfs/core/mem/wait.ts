/**
 * Waiting for another thread, bounded by time.
 *
 * Guarantees: every wait in the core ends after the thread's limit (setWaitLimit()), whether the thread sleeps or
 * spins. Then timedOut() leaves the call: the host throws, and threadAbandon() (sys/recovery.ts) takes back what the call
 * has begun, as it would for a dead thread. The last attempt comes after the end of the limit, so that a thread that was
 * itself suspended for longer does not fail where it could go on.
 */
import * as host from "../host";
import { G_SLEEP } from "./layout";
import { canWait } from "./thread";

/** How long a thread waits for another, in milliseconds. */
let limitMs: f64 = 10000;
/** How long it polls at short intervals first. */
const EAGER_MS: f64 = 2;
const EAGER_US: i64 = 20;
const SLEEP_US: i64 = 2000;

export function setWaitLimit(ms: f64): void {
  limitMs = ms;
}

/** Whether this thread waits for less than a millisecond: then the host awaits what may take long, such as a pipe. */
export function hostWaits(): bool {
  return limitMs < 1;
}

/** The time at which a wait that begins now has lasted too long. Never 0. */
export function waitDeadline(): f64 {
  return host.clock() + limitMs;
}

export function isPast(deadline: f64): bool {
  return host.clock() >= deadline;
}

/** Sleeps for about `us` microseconds where the thread may block. */
export function sleepUs(us: i64): void {
  if (canWait) host.wait(G_SLEEP, 0, <f64>us / 1000.0);
}

/**
 * Between two attempts to do what other threads' use of the word at `word` keeps this thread from doing. `deadline` is
 * the result of the previous call, 0 at the first.
 */
export function spinFor(deadline: f64, word: usize): f64 {
  const now = host.clock();
  if (deadline == 0) return now + limitMs;
  if (now >= deadline) timedOut(word);
  return deadline;
}

/** The same for a thread that may sleep meanwhile, where it can: not inside a read-side section. */
export function waitFor(deadline: f64, word: usize): f64 {
  const until = spinFor(deadline, word);
  sleepUs(host.clock() < until - limitMs + EAGER_MS ? EAGER_US : SLEEP_US);
  return until;
}

/** Leaves the call, because the owner of the word at `word` has kept it waiting until its limit. Does not return. */
export function timedOut(word: usize): void {
  host.timedOut(<u32>word);
}
