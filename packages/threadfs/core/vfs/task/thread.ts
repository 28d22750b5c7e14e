/** The calling thread as the vfs sees it: how it walks, and which hooks its host has. Private to the thread, as mem/thread.ts. */

import { MODE_BENEATH, MODE_NO_PREFIX_CACHE, MODE_PREFIX_CACHE, MODE_REF } from "../../../abi/host";
import { CHUNK_SHIFT } from "../../mem/layout";
import {
  G_PREFIX_CHUNKS,
  G_PREFIX_SETS,
  PREFIX_CACHE_MIN_PATH,
  PREFIX_CACHE_OFF,
  PREFIX_CACHE_SET,
  PREFIX_CACHE_TAGS,
} from "../layout";

/** > 0 inside a driver's hook, where calls into the core are refused. */
export let hookDepth: i32 = 0;
/** Whether the host has a security hook and an audit hook. */
export let hasSecurity: bool = false;
export let hasAudit: bool = false;
/** Walk modes of the thread, as last set. */
export let walkModes: u32 = 0;
/** Set: walks start in ref mode. */
export let forceRef: bool = false;
/** Set: all calls have RESOLVE_BENEATH. */
export let beneath: bool = false;

/**
 * Paths shorter than this are not looked up in the prefix cache (walk/prefix-cache.ts). Off by default in the debug
 * build, whose walks are to report each component.
 */
export let prefixCacheMinPath: u32 = PREFIX_CACHE_OFF;
/** Address of the thread's prefix cache, 0: it has none; of the tags of its sets, and how many there are; of its ring, and the bytes of that. */
export let prefixCache: usize = 0;
export let prefixTags: usize = 0;
export let prefixSets: u64 = 0;
export let prefixRing: usize = 0;
export let prefixRingSize: u64 = 0;

export function setHookDepth(depth: i32): void {
  hookDepth = depth;
}

export function setHostHooks(security: bool, audit: bool): void {
  hasSecurity = security;
  hasAudit = audit;
}

export function setPrefixCache(address: usize): void {
  prefixCache = address;
  prefixSets = load<u32>(G_PREFIX_SETS);
  prefixTags = address + <usize>prefixSets * PREFIX_CACHE_SET;
  prefixRingSize = (<u64>load<u32>(G_PREFIX_CHUNKS)) << (CHUNK_SHIFT - 1);
  prefixRing = address + <usize>prefixRingSize;
  setWalkModes(walkModes);
}

/** Forgets the entries of the prefix cache: the thread that had the slot before, or a call that has ended in the middle, may have written half of one. */
export function clearPrefixTags(): void {
  if (prefixCache != 0) memory.fill(prefixTags, 0, <usize>prefixSets * PREFIX_CACHE_TAGS);
}

export function setWalkModes(m: u32): void {
  walkModes = m & (MODE_REF | MODE_NO_PREFIX_CACHE | MODE_PREFIX_CACHE | MODE_BENEATH);
  forceRef = (m & MODE_REF) != 0;
  beneath = (m & MODE_BENEATH) != 0;
  const off = prefixCache == 0 || (POINTS ? !(m & MODE_PREFIX_CACHE) : (m & MODE_NO_PREFIX_CACHE) != 0);
  prefixCacheMinPath = off ? PREFIX_CACHE_OFF : PREFIX_CACHE_MIN_PATH;
}
