/**
 * The calling thread: its slot, scratch area and counters. Wasm globals belong to the instance, and each instance
 * belongs to one thread: they are private.
 */
import * as COUNTER from "../../abi/counters";
import { MODE_NO_PREFIX_CACHE, MODE_PREFIX_CACHE, MODE_REF, PANIC_LOCK } from "../../abi/host";
import * as host from "../host";
import { G_SLEEP, PREFIX_CACHE_MIN_PATH, PREFIX_CACHE_OFF, SLOT_COUNTERS, SLOT_SIZE, SLOTS } from "./layout";

/** Slot number + 1: the owner's number in lock words. 0 before the thread is attached. */
export let tid: u32 = 0;
/** Address of the thread's slot. */
export let slot: usize = 0;
/** Address of the thread's scratch area. */
export let scratch: usize = 0;
/** Whether the thread may block (a browser's main thread may not). */
export let canWait: bool = false;
/** > 0 inside a driver's hook, where calls into the core are refused. */
export let hookDepth: i32 = 0;
/** Whether the host has a security hook and an audit hook. */
export let hasSecurity: bool = false;
export let hasAudit: bool = false;
/** Walk modes of the thread, as last set. */
export let modes: u32 = 0;
/** Set: walks start in ref mode. */
export let forceRef: bool = false;

/**
 * Paths shorter than this are not looked up in the prefix cache (vfs/walk/prefix-cache.ts). Off by default in the debug
 * build, whose walks are to report each component.
 */
export let prefixCacheMinPath: u32 = PREFIX_CACHE_OFF;
/** Address of the thread's prefix cache, 0: it has none. */
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

export function setModes(m: u32): void {
  modes = m & (MODE_REF | MODE_NO_PREFIX_CACHE | MODE_PREFIX_CACHE);
  forceRef = (m & MODE_REF) != 0;
  const off = prefixCache == 0 || (POINTS ? !(m & MODE_PREFIX_CACHE) : (m & MODE_NO_PREFIX_CACHE) != 0);
  prefixCacheMinPath = off ? PREFIX_CACHE_OFF : PREFIX_CACHE_MIN_PATH;
}

/** Counts an event in the thread's own cache lines, which no other thread writes. */
export function count(which: u32): void {
  const p = slot + SLOT_COUNTERS + (which << 3);
  store<u64>(p, load<u64>(p) + 1);
}

/** Sleeps for about `us` microseconds where the thread may block. */
export function sleepUs(us: i64): void {
  if (canWait) host.wait(G_SLEEP, 0, <f64>us / 1000.0);
}

export function panic(code: i32, a: usize): void {
  host.panic(code, <i32>a);
}

/**
 * How often a thread polls a lock on which it must not block. With the sleeps in between that is ten seconds, as for
 * other locks.
 */
const LOCK_POLLS_MAX: i32 = 5000;

/** Sleeps before polling the lock again; `n` counts the polls from 0. */
export function sleepAtLock(n: i32, lock: usize): void {
  if (n == LOCK_POLLS_MAX) panic(PANIC_LOCK, lock);
  sleepUs(n < 100 ? 20 : 2000);
}

export function countLockWait(): void {
  count(COUNTER.lockWaits);
}
