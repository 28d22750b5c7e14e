/** The structures in the tree's memory, read word by word. Their offsets are those of the checkers, which a test compares with the core's. */
import {
  DENTRY,
  INODE,
  MOUNT,
  PREFIX_CACHE_CHUNKS,
  SLOT_EPOCH,
  SLOT_PREFIX_CACHE,
  SLOT_SCRATCH,
} from "../../../verify/dist/arena/layout.js";
import { CHUNK, POINT, SCRATCH, SLOT_SIZE, SLOTS } from "../../dist/abi/abi.js";
import type { Vfs, VfsHandle } from "../../dist/src/index.js";
import { type HookedVfs, lastPass } from "./hooked-vfs.js";

/** Address of a thread's slot. */
function slotAddress(slot: number): number {
  return SLOTS + slot * SLOT_SIZE;
}

/** Reads words of the tree's memory by what they mean. An argument is the address of a dentry unless its name says otherwise. */
export interface TreeMemory {
  word(address: number): number;
  seq(dentry: number): number;
  flags(dentry: number): number;
  hash(dentry: number): number;
  length(dentry: number): number;
  parent(dentry: number): number;
  inode(dentry: number): number;
  /** The next dentry of its hash chain; an odd number is the chain's end mark. */
  next(dentry: number): number;
  dirSeq(dentry: number): number;
  lastChild(dentry: number): number;
  /** Owner of d_lock, 0: free. */
  lock(dentry: number): number;
  /** References; negative: dead. */
  count(dentry: number): number;
  /** References on a mount. */
  mountCount(mount: number): number;
  /** First dentry of a directory's inode. */
  alias(inode: number): number;
  /** Owner of an inode's i_mutex, 0: free. */
  mutex(inode: number): number;
  /** Epoch that a thread's slot shows: 0 outside a read-side section. */
  epoch(slot: number): number;
  /** Address of a thread's prefix cache, 0: it has none. */
  prefixCache(slot: number): number;
  /** A copy of the memory, without the slot, the scratch area and the prefix cache of one attachment's thread. */
  bytesWithout(thread: Vfs): Uint8Array;
}

export function memoryOf({ handle: { memory } }: { readonly handle: VfsHandle }): TreeMemory {
  const word = (address: number) => Atomics.load(new Int32Array(memory.buffer), address >>> 2) >>> 0;
  return {
    word,
    seq: (dentry) => word(dentry + DENTRY.seq),
    flags: (dentry) => word(dentry + DENTRY.flags),
    hash: (dentry) => word(dentry + DENTRY.hash),
    length: (dentry) => word(dentry + DENTRY.len),
    parent: (dentry) => word(dentry + DENTRY.parent),
    inode: (dentry) => word(dentry + DENTRY.inode),
    next: (dentry) => word(dentry + DENTRY.next),
    dirSeq: (dentry) => word(dentry + DENTRY.dirSeq),
    lastChild: (dentry) => word(dentry + DENTRY.lastChild),
    lock: (dentry) => word(dentry + DENTRY.lock),
    count: (dentry) => word(dentry + DENTRY.count) | 0,
    mountCount: (mount) => word(mount + MOUNT.count) | 0,
    alias: (inode) => word(inode + INODE.alias),
    mutex: (inode) => word(inode + INODE.mutex),
    epoch: (slot) => word(slotAddress(slot) + SLOT_EPOCH),
    prefixCache: (slot) => word(slotAddress(slot) + SLOT_PREFIX_CACHE),
    bytesWithout(thread) {
      const bytes = new Uint8Array(memory.buffer).slice();
      const slot = slotAddress(thread.threadSlot);
      const scratch = word(slot + SLOT_SCRATCH);
      bytes.fill(0, slot, slot + SLOT_SIZE);
      bytes.fill(0, scratch, scratch + SCRATCH.SIZE);
      const cache = word(slot + SLOT_PREFIX_CACHE);
      if (cache !== 0) bytes.fill(0, cache, cache + PREFIX_CACHE_CHUNKS * CHUNK);
      return bytes;
    },
  };
}

/** The dentries of a hash chain from one on, and the mark at its end; 0 is an empty chain. */
export function chainOf(memory: TreeMemory, first: number): { dentries: number[]; end: number } {
  const dentries: number[] = [];
  let p = first;
  for (; p !== 0 && p % 2 === 0; p = memory.next(p)) dentries.push(p);
  return { dentries, end: p };
}

/** Address of the dentry that a path leads to, links not followed. */
export function dentryOf(vfs: HookedVfs, path: string): number {
  const [, , dentry] = lastPass(
    vfs.points(() => vfs.fs.lstatSync(path)),
    POINT.ANSWER,
  );
  return dentry;
}
