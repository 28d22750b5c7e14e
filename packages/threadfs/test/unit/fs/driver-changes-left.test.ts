/**
 * A driver has made a change, and the rest of the call waits too long for a lock: the call returns, because it has happened, and the tree
 * shows the change as if the call had not waited. The other thread is a number in the word of a lock: its owner, as the core sees it.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  DENTRY,
  G_MOUNTS,
  G_SLOTS_USED,
  INODE,
  LOCKS,
  MOUNT,
  SLOT_ACTIVE,
} from "../../../../verify/dist/arena/layout.js";
import { check as checkArena } from "../../../../verify/dist/fsck/check-arena.js";
import { S_IFDIR, S_IFREG, SLOT_SIZE, SLOTS } from "../../../dist/abi/abi.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import { memoryDriver, mountDriver, ROOT } from "../../support/drivers/memory-driver.js";
import { OWNER } from "../../support/held-locks.js";

const LIMIT_MS = 3;
/** The descriptor of /m/f. */
const FD = 3;
const CHANGING = ["create", "unlink", "setattr", "write"] as const;

interface Scene {
  vfs: Vfs;
  locks: Record<string, number>;
  /** What is done when the driver has made a change. */
  onChange(action: () => void): void;
  /** The word of a lock. */
  set(address: number, value: number): void;
  /** Types and names of the changes so far. */
  events(): Promise<unknown[]>;
}

/** A tree with a driver's files in it, all of which are in the cache: /m/f, /m/e, /m/d with g in it and a file system mounted on /m/d/n. */
async function scene(t: TestContext): Promise<Scene> {
  const vfs = await createVfs({ maxBytes: 8 << 20, lockTimeoutMs: LIMIT_MS });
  t.after(() => vfs.close());
  const { driver, make } = memoryDriver("memory", ["lookup", "readdir", "read", ...CHANGING]);
  let changed = (): void => {};
  for (const name of CHANGING) {
    const hook = driver[name] as (...args: unknown[]) => unknown;
    const told = (...args: unknown[]): unknown => {
      const result = hook(...args);
      changed();
      return result;
    };
    Object.assign(driver, { [name]: told });
  }
  make(ROOT, "f", S_IFREG | 0o644, { text: "contents" });
  make(ROOT, "e", S_IFDIR | 0o755);
  const d = make(ROOT, "d", S_IFDIR | 0o755);
  make(d, "g", S_IFREG | 0o644);
  make(d, "n", S_IFDIR | 0o755);
  mountDriver(vfs, driver);
  vfs.mount(null, "/m/d/n", "tmpfs");
  seen(vfs);
  assert.equal(vfs.fs.openSync("/m/f", "r+"), FD);
  const words = new Int32Array(vfs.handle.memory.buffer);
  const word = (address: number) => Atomics.load(words, address >>> 2) >>> 0;
  // The mount made first is the tree's root, the last one that on "/m/d/n".
  const mounts: number[] = [];
  for (let m = word(G_MOUNTS); m !== 0; m = word(m + MOUNT.allNext)) mounts.push(m);
  const rootOf = (i: number) => word((mounts.at(i) ?? 0) + MOUNT.root);
  const root = rootOf(1);
  const named = (last: boolean) => word(root + (last ? DENTRY.lastChild : DENTRY.firstChild));
  const locks: Record<string, number> = { ...LOCKS };
  for (const [name, dentry] of Object.entries({ root, first: named(false), last: named(true) })) {
    locks[`d_lock of ${name}`] = dentry + DENTRY.lock;
    locks[`childLock of ${name}`] = dentry + DENTRY.childLock;
    locks[`i_lock of ${name}`] = word(dentry + DENTRY.inode) + INODE.lock;
  }
  const changes = vfs.changes({ persistent: false });
  const told: unknown[] = [];
  return {
    vfs,
    locks,
    onChange(action) {
      changed = action;
    },
    set: (address, value) => void Atomics.store(words, address >>> 2, value),
    async events() {
      vfs.fs.mkdirSync("/end");
      for await (const { type, name, isDirectory } of changes) {
        if (name === "end") return told;
        told.push([type, name, isDirectory]);
      }
      return told;
    },
  };
}

/** Changes by the driver; each returns what it returns to the program. */
const CHANGES: Record<string, (vfs: Vfs) => unknown> = {
  mkdir: ({ fs }) => fs.mkdirSync("/m/new"),
  symlink: ({ fs }) => fs.symlinkSync("f", "/m/d/new"),
  unlink: ({ fs }) => fs.unlinkSync("/m/f"),
  rmdir: ({ fs }) => fs.rmdirSync("/m/e"),
  "rmdir below which is a mount": ({ fs }) => fs.rmdirSync("/m/d"),
  chmod: ({ fs }) => fs.chmodSync("/m/f", 0o600),
  "chmod of a directory": ({ fs }) => fs.chmodSync("/m/e", 0o700),
  chown: ({ fs }) => fs.chownSync("/m/d", 5, 6),
  utimes: ({ fs }) => fs.utimesSync("/m/f", 5, 6),
  truncate: ({ fs }) => fs.ftruncateSync(FD, 3),
  "write at the position": ({ fs }) => fs.writeSync(FD, "CON"),
  append: ({ fs }) => fs.writeSync(FD, " and more", 8),
};

/** What a program sees of the driver's files. */
function seen({ fs }: Vfs): unknown[] {
  return ["f", "e", "d", "d/g", "d/n", "d/new", "new"].map((name) => {
    const stats = fs.lstatSync(`/m/${name}`, { throwIfNoEntry: false });
    if (stats === undefined) return [name];
    const { mode, uid, gid, size, mtimeMs } = stats;
    const time = mtimeMs > 10_000 ? "now" : mtimeMs;
    return [name, mode, uid, gid, size, time, fs.existsSync(`/m/${name}/x`)];
  });
}

/** Makes a change, after whose hook another thread owns the lock until the call has returned. Returns what the program sees then. */
function changeAt(here: Scene, change: (vfs: Vfs) => unknown, lock?: number): unknown {
  const { vfs, set } = here;
  if (lock !== undefined) here.onChange(() => set(lock, OWNER + 1));
  const returned = change(vfs);
  here.onChange(() => {});
  if (lock !== undefined) set(lock, 0);
  return { returned, seen: seen(vfs) };
}

for (const [what, change] of Object.entries(CHANGES)) {
  test(`${what}: the tree shows it when the call returns, whatever lock the rest of it has waited for in vain`, async (t) => {
    const undisturbed = await scene(t);
    const expected = changeAt(undisturbed, change);
    const events = await undisturbed.events();
    let waited = 0;
    for (const name of Object.keys(undisturbed.locks)) {
      const here = await scene(t);
      const { vfs, set } = here;
      // Another thread is in a call, so that no recount drops what the call has left.
      set(G_SLOTS_USED, OWNER + 1);
      set(SLOTS + OWNER * SLOT_SIZE + SLOT_ACTIVE, 1);
      const { lockWaits } = vfs.counters();
      assert.deepEqual(changeAt(here, change, here.locks[name]), expected, name);
      if (vfs.counters().lockWaits > lockWaits) waited++;
      set(SLOTS + OWNER * SLOT_SIZE + SLOT_ACTIVE, 0);
      // Counts the references. A file system that the call has unmounted may end only now.
      vfs.fs.readdirSync("/");
      assert.deepEqual((await here.events()).sort(), [...events].sort(), name);
      assert.deepEqual(checkArena(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, [], name);
    }
    assert.ok(waited > 0, "no lock was waited for");
  });
}
