/**
 * The calling thread: its slot, its scratch area, its counters. Wasm globals belong to the instance, and an instance
 * belongs to one thread, so what is kept here is private.
 */
import * as host from "../host";
import {
  C_LOCK_WAITS,
  G_SLEEP,
  PREFIX_CACHE_MIN_PATH,
  PREFIX_CACHE_OFF,
  SLOT_COUNTERS,
  SLOT_SIZE,
  SLOTS,
} from "./layout";

/** Slot number + 1: the name under which this thread takes locks. 0 before it is attached. */
export let tid: u32 = 0;
/** Address of this thread's slot. */
export let slot: usize = 0;
/** Address of this thread's scratch area. */
export let scratch: usize = 0;
/** Whether this thread may wait (a browser's main thread may not). */
export let canWait: bool = false;
/** > 0 inside a driver's hook: calls into the core are refused there. */
export let hookDepth: i32 = 0;
/** Whether the host has a security and an audit hook. */
export let hasSecurity: bool = false;
export let hasAudit: bool = false;
/** Modes of this thread's walks, as last set. */
export let modes: u32 = 0;
/** Walks start in ref mode when set. */
export let forceRef: bool = false;

/**
 * Paths shorter than this are not looked for in the memo of directories walked (fs/memo.ts). The debug build, whose walks are
 * to pass a point at each component, uses none unless it is told to.
 */
export let prefixCacheMinPath: u32 = PREFIX_CACHE_OFF;
/** Address of its entries, 0: this thread has none. */
export let prefixCache: usize = 0;

export function setThread(number: u32, scratchAddress: usize, mayWait: bool): void {
  tid = number + 1;
  slot = SLOTS + number * SLOT_SIZE;
  scratch = scratchAddress;
  canWait = mayWait;
}

export function setPrefixCache(address: usize): void {
  prefixCache = address;
  setModes(modes);
}

export function clearThread(): void {
  tid = 0;
}

export function setHookDepth(depth: i32): void {
  hookDepth = depth;
}

export function setHostHooks(security: bool, audit: bool): void {
  hasSecurity = security;
  hasAudit = audit;
}

export const MODE_REF: u32 = 1;
export const MODE_NO_PREFIX_CACHE: u32 = 2;
export const MODE_PREFIX_CACHE: u32 = 4;

export function setModes(m: u32): void {
  modes = m & (MODE_REF | MODE_NO_PREFIX_CACHE | MODE_PREFIX_CACHE);
  forceRef = (m & MODE_REF) != 0;
  const off = prefixCache == 0 || (POINTS ? !(m & MODE_PREFIX_CACHE) : (m & MODE_NO_PREFIX_CACHE) != 0);
  prefixCacheMinPath = off ? PREFIX_CACHE_OFF : PREFIX_CACHE_MIN_PATH;
}

/** Counts one event on this thread's own lines; no other thread writes there. */
export function count(which: u32): void {
  const p = slot + SLOT_COUNTERS + (which << 3);
  store<u64>(p, load<u64>(p) + 1);
}

/** Gives up the processor for about `us` microseconds where waiting is allowed. */
export function sleepUs(us: i64): void {
  if (canWait) host.wait(G_SLEEP, 0, <f64>us / 1000.0);
}

export const PANIC_LOCK: i32 = 1;
export const PANIC_CORRUPT: i32 = 2;
export const PANIC_UNLOCK: i32 = 3;
/** More locks, sequences or changes in one section than a journal has room for. */
export const PANIC_LOG_FULL: i32 = 4;

export function panic(code: i32, a: usize): void {
  host.panic(code, <i32>a);
}

/** Looks at a lock that may not be waited for where it is met; with the naps between them ten seconds, as for any lock. */
const LOCK_POLLS_MAX: i32 = 5000;

/** Sleeps behind look number `n`, from 0, at such a lock. */
export function sleepAtLock(n: i32, lock: usize): void {
  if (n == LOCK_POLLS_MAX) panic(PANIC_LOCK, lock);
  sleepUs(n < 100 ? 20 : 2000);
}

export function countLockWait(): void {
  count(C_LOCK_WAITS);
}
