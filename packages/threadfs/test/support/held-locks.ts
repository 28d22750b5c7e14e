/** A tree whose locks another thread holds: a number in the word of a lock is its owner, as the core sees it. */
import type { TestContext } from "node:test";
import {
  CONTEXT,
  CONTEXT_FD_BLOCKS,
  CTX_TABLE,
  DENTRY,
  FD_BLOCK_LOCK,
  FD_ORDERED_BLOCKS,
  G_RECOUNT_OWNER,
  INODE,
  LOCKS,
  SLOT_LISTS_LOCK,
} from "../../../verify/dist/arena/layout.js";
import { MAX_THREADS, SLOT_SIZE, SLOTS } from "../../dist/abi/abi.js";
import { createVfs, type Driver, type Vfs } from "../../dist/src/index.js";

/** A slot whose thread these tests pretend to be there. */
export const OWNER = 199;
export const LOCK_LINE = 64;
export const driver: Driver = {
  name: "driver",
  root: () => ({ ino: 1, mode: 0o40755 }),
  lookup: (_dir, name) => (name === "none" ? null : { ino: 1000 + name.length, mode: 0o100644 }),
};

/** A tree, and the addresses of locks by their names. */
export interface Scene {
  vfs: Vfs;
  words: Int32Array;
  locks: Record<string, number>;
}

/** The address of the lock of a thread's descriptors of the tree's own context, which the thread has had one of: by `threadSlot`. */
export function ownDescriptorsLock(words: Int32Array, slot: number): number {
  const word = (address: number) => Atomics.load(words, address >>> 2) >>> 0;
  const block = FD_ORDERED_BLOCKS + (slot % FD_ORDERED_BLOCKS);
  return word(word(CTX_TABLE) + CONTEXT_FD_BLOCKS + block * 4) + FD_BLOCK_LOCK;
}

/**
 * A tree with something of every kind in it, and all locks of it that other threads may hold.
 * @param followed whether this thread follows its log of changes, so that changes take the log's lock too
 */
export async function scene(t: TestContext, mayWait: boolean, lockTimeoutMs: number, followed = false): Promise<Scene> {
  if (!mayWait) {
    t.mock.method(Atomics, "wait", () => {
      throw new TypeError("Atomics.wait cannot be called in this context");
    });
  }
  const vfs = await createVfs({ maxBytes: 8 << 20, lockTimeoutMs });
  const { fs } = vfs;
  for (const path of ["/d", "/d/e", "/m", "/n"]) fs.mkdirSync(path);
  fs.writeFileSync("/d/f", "contents");
  fs.closeSync(fs.openSync("/d/f", "r+"));
  vfs.registerDriver(driver);
  vfs.mount(null, "/m", driver.name);
  if (followed) vfs.changes({ persistent: false });
  const words = new Int32Array(vfs.handle.memory.buffer);
  const word = (address: number) => Atomics.load(words, address >>> 2) >>> 0;
  const context = word(CTX_TABLE);
  const root = word(context + CONTEXT.root);
  // The child made last is "/n", the first one "/d".
  const dir = word(root + DENTRY.firstChild);
  const inode = word(dir + DENTRY.inode);
  const file = word(dir + DENTRY.lastChild);
  const locks: Record<string, number> = {
    ...LOCKS,
    "the gate of a recount": G_RECOUNT_OWNER,
    "the lock of the thread's lists": SLOTS + (vfs.threadSlot % MAX_THREADS) * SLOT_SIZE + SLOT_LISTS_LOCK,
    "d_lock of a directory": dir + DENTRY.lock,
    "d_lock of a file": file + DENTRY.lock,
    "childLock of a directory": dir + DENTRY.childLock,
    "i_mutex of a directory": inode + INODE.mutex,
    "i_lock of a directory": inode + INODE.lock,
    "i_mutex of a file": word(file + DENTRY.inode) + INODE.mutex,
    "i_lock of a file": word(file + DENTRY.inode) + INODE.lock,
    "lock of a context": context + CONTEXT.lock,
    "fdLock of a context": context + CONTEXT.fdLock,
  };
  return { vfs, words, locks };
}
