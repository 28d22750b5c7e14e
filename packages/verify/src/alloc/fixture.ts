/**
 * A tree to let allocations fail in: made once, its memory kept as bytes, and restored for each attempt, so that every attempt
 * begins in the same state. The core is the shipping one, rewritten so that each call of slabAlloc(), through which all
 * objects are allocated, first asks the session whether to fail.
 */
import type { CoreExports } from "../../../threadfs/dist/abi/abi.js";
import {
  AT_FDCWD,
  CLONE_NEWNS,
  F_SETLK,
  O_CREAT,
  O_RDWR,
  RESOLVE_BENEATH,
  WRITE_FAILED,
} from "../../../threadfs/dist/abi/abi.js";
import { DriverTable } from "../../../threadfs/dist/src/bridge/driver-table.js";
import * as L from "../arena/layout.js";
import {
  type AttachOptions,
  attach,
  createMemory,
  type Hooks,
  type ShippingCore,
  shippingCore,
  type Thread,
  TIME,
} from "../binary/core.js";
import { arenaDump } from "../fsck/arena-dump.js";
import type { ArenaView } from "../fsck/arena-view.js";
import { inspect } from "../fsck/check-arena.js";
import { defined } from "../support/defined.js";
import { objectDriver } from "../workload/object-driver.js";
import { aliasDriver, makeEras, twinDriver } from "../workload/twin-driver.js";

export const LONG = "l".repeat(150);
/** The byte that the data of long writes are made of. */
const LONG_DATA = "l".charCodeAt(0);
/** An ACL that names this many users: tag, permissions, id of each entry. */
const aclOf = (users: number): [tag: number, perm: number, id: number][] => [
  [1, 6, 0],
  ...Array.from({ length: users }, (_, k): [number, number, number] => [2, 6, k]),
  [4, 4, 0],
  [16, 6, 0],
  [32, 4, 0],
];

/** The core with its allocations intercepted. */
export const allocCore = (): ShippingCore => shippingCore({ intercept: ["slabAlloc"] });

/** The outcome of a call in which an allocation was to be refused. */
export interface Refused {
  value: number;
  /** Whether the call came to that allocation. */
  reached: boolean;
  /** How many allocations it asked for. */
  allocations: number;
}

/** One thread at the tree: the core's calls, and control over its allocations. Every call returns >= 0 or -errno. */
export class AllocSession {
  /** Allocations so far. */
  allocations = 0;
  /** A second context's number, which has had no file open. */
  other = 0;
  /** Present time in ms. */
  time = TIME;
  readonly thread: Thread;
  readonly core: CoreExports;
  readonly driver = objectDriver();
  /** The number of the driver, as mount() takes it. */
  readonly box: number;
  /** The eras of the driver whose directories go stale. */
  readonly eras = makeEras();
  readonly #drivers: DriverTable;
  #failAt = Number.POSITIVE_INFINITY;
  #failAfter = false;

  constructor(
    readonly memory: WebAssembly.Memory,
    options?: AttachOptions,
  ) {
    const drivers = new DriverTable(memory);
    const hooks: Hooks = {
      now: () => this.time,
      enter: () => (this.#fails() ? 1 : 0),
      driverCall: (...args) => drivers.call(...args),
      // The caller's data of a long write.
      copyFromUser: (to, _done, bytes) => {
        new Uint8Array(memory.buffer, to, bytes).fill(LONG_DATA);
        return 0;
      },
    };
    this.thread = attach(memory, allocCore(), hooks, options);
    this.core = this.thread.exports;
    drivers.attach(this.core);
    for (const driver of [this.driver, aliasDriver(), twinDriver(this.eras)]) drivers.register(driver, 0);
    this.#drivers = drivers;
    this.box = this.driverNumber("box");
  }

  /** The number of a driver, as mount() takes it. */
  driverNumber(name: string): number {
    return defined(this.#drivers.find(name), `number of the driver ${name}`);
  }

  #fails(): boolean {
    const n = ++this.allocations;
    return n === this.#failAt || (this.#failAfter && n > this.#failAt);
  }

  /** Takes the file away that the thread's slot keeps for the next open, which then would allocate none: by a recount, as after a death. */
  #dropSpare(): void {
    Atomics.add(new Uint32Array(this.memory.buffer, L.G_LEAKS, 1), 0, 1);
    this.core.sysFsync(0, -1);
  }

  /** Runs with the n-th allocation refused, and with `after` all later ones too. */
  refusing(n: number, after: boolean, run: () => number): Refused {
    this.#dropSpare();
    this.allocations = 0;
    this.#failAt = n;
    this.#failAfter = after;
    try {
      const value = run();
      return { value, reached: this.allocations >= n, allocations: this.allocations };
    } finally {
      this.#failAt = Number.POSITIVE_INFINITY;
      this.#failAfter = false;
    }
  }

  /** Frees all unused memory: unused entries of drivers, retired objects. */
  settle(): void {
    for (let n = 0; n < 3; n++) {
      this.core.synchronizeRcu();
      this.core.shrink(0, 1 << 20);
    }
  }

  /** A thread holds the context that it used last: now it is another than those that are to end. */
  letGo(): void {
    must(this.core.sysUmask(this.other, 0o22));
  }

  inspect(): ArenaView {
    return inspect(this.memory);
  }

  arenaDump(v: ArenaView, options?: { identity?: boolean }): string[] {
    return [...arenaDump(v, options), ...this.driver.content().map((line) => `box ${line}`)];
  }

  path(path: string): number {
    return this.thread.path(path);
  }
  mkdir(path: string): number {
    return this.core.sysMkdir(0, AT_FDCWD, this.path(path), 0o755);
  }
  mknod(path: string, mode: number, dev = 0): number {
    return this.core.sysMknod(0, AT_FDCWD, this.path(path), mode, dev);
  }
  /** A pipe: the descriptor to read from, and the one to write to in the upper 16 bits. */
  pipe(): number {
    return this.core.sysPipe(0, 0);
  }
  open(path: string, flags = 0, ctx = 0): number {
    return this.core.sysOpen(ctx, AT_FDCWD, this.path(path), flags, 0o644);
  }
  openAny(path: string, ctx = 0): number {
    return this.core.sysOpenAny(ctx, AT_FDCWD, this.path(path), 0, 0);
  }
  /** openat2(2) with RESOLVE_BENEATH from the working directory. */
  openBeneath(path: string): number {
    return this.core.sysOpenat2(0, AT_FDCWD, this.path(path), 0, 0, RESOLVE_BENEATH);
  }
  close(fd: number, ctx = 0): number {
    return this.core.sysClose(ctx, fd);
  }
  /** Sets a lock on a range, for context 0. */
  lock(fd: number, type: number, start: number, length: number): number {
    return this.core.sysFcntlLock(0, fd, F_SETLK, type, 0, start, length);
  }
  write(fd: number, offset: number, data: string): number {
    return this.core.sysWrite(0, fd, offset, this.thread.put(data));
  }
  /** Appends to a file that one call opens, writes and closes; returns the bytes written or -errno. */
  writeFile(path: string, data: string): number {
    const length = this.path(path);
    const wrote = this.core.sysWriteFile(0, AT_FDCWD, length, 1, 0o644, this.thread.put(data));
    return wrote < WRITE_FAILED ? wrote - WRITE_FAILED : wrote;
  }
  /** Writes a whole file; returns 0 or -errno. What was made stays. */
  file(path: string, data = ""): number {
    const fd = this.open(path, O_RDWR | O_CREAT);
    if (fd < 0) return fd;
    let result = 0;
    for (let done = 0; done < data.length && result >= 0; done += result) {
      result = this.write(fd, done, data.slice(done, done + 65536));
      if (result === 0) result = -5;
    }
    this.close(fd);
    return Math.min(result, 0);
  }
  truncate(path: string, size: number): number {
    return this.core.sysTruncate(0, AT_FDCWD, this.path(path), size);
  }
  symlink(body: string, path: string): number {
    const length = this.path(body);
    return this.core.sysSymlink(0, length, AT_FDCWD, this.thread.path2(path));
  }
  link(from: string, to: string): number {
    const length = this.path(from);
    return this.core.sysLink(0, AT_FDCWD, length, AT_FDCWD, this.thread.path2(to), 0);
  }
  rename(from: string, to: string, flags = 0): number {
    const length = this.path(from);
    return this.core.sysRename(0, AT_FDCWD, length, AT_FDCWD, this.thread.path2(to), flags);
  }
  unlink(path: string): number {
    return this.core.sysUnlink(0, AT_FDCWD, this.path(path), 0);
  }
  rmdir(path: string): number {
    return this.core.sysUnlink(0, AT_FDCWD, this.path(path), 0x200);
  }
  stat(path: string): number {
    return this.core.sysStat(0, AT_FDCWD, this.path(path), 0);
  }
  chmod(path: string, mode: number): number {
    return this.core.sysChmod(0, AT_FDCWD, this.path(path), mode, 0);
  }
  /** Sets an extended attribute to a value of so many bytes. */
  setxattr(path: string, name: string, size: number): number {
    return this.core.sysSetxattr(0, AT_FDCWD, this.path(path), this.thread.path2(name), size, 0, 0);
  }

  removexattr(path: string, name: string): number {
    return this.core.sysRemovexattr(0, AT_FDCWD, this.path(path), this.thread.path2(name), 0);
  }

  /** Sets an ACL that names `users` users; undefined removes it. `type` 1: the default ACL of a directory. */
  setacl(path: string, users?: number, type = 0): number {
    const entries = users === undefined ? [] : aclOf(users);
    const view = new DataView(this.memory.buffer, this.thread.io.byteOffset, entries.length * 8);
    entries.forEach(([tag, perm, id], k) => {
      view.setUint16(k * 8, tag, true);
      view.setUint16(k * 8 + 2, perm, true);
      view.setUint32(k * 8 + 4, id, true);
    });
    return this.core.sysSetacl(0, AT_FDCWD, this.path(path), entries.length, type);
  }
  /** A fresh file system: in memory, or of the driver. */
  mount(path: string, type = 0, ctx = 0): number {
    return this.core.sysMountNew(ctx, this.path(path), type, 0, 0, 0, 0);
  }
  bind(from: string, to: string, flags = 4096): number {
    const length = this.path(from);
    return this.core.sysMount(0, length, this.thread.path2(to), flags);
  }
  umount(path: string, flags = 0): number {
    return this.core.sysUmount(0, this.path(path), flags);
  }
  context(groups = 0): number {
    for (let k = 0; k < groups; k++) this.thread.words[(this.thread.io.byteOffset >>> 2) + k] = k;
    return this.core.contextCreate(0, 1000, 1000, 0o22, groups, -1, 0, 0);
  }

  /** A context with a copy of all mounts. */
  ownContext(): number {
    return this.core.contextCreate(0, 0, 0, 0o22, 0, -1, 0, CLONE_NEWNS);
  }
}

/** The tree and its bytes. */
export class AllocFixture {
  readonly #memory: WebAssembly.Memory;
  #bytes: Uint8Array;
  /** Number of the context beside the tree's own. */
  readonly #other: number;

  constructor({ maxBytes = 4 << 20 }: { maxBytes?: number } = {}) {
    this.#memory = createMemory({ maxBytes, threads: 0 });
    const session = new AllocSession(this.#memory, { init: { seed: 1 } });
    this.#other = populate(session);
    this.#bytes = this.#detach(session);
  }

  #detach(session: AllocSession): Uint8Array {
    session.thread.check("threadDetach");
    return new Uint8Array(this.#memory.buffer).slice();
  }

  /** Makes the present state the one that every attempt begins with. Ends the session. */
  keep(session: AllocSession): void {
    this.#bytes = this.#detach(session);
  }

  /**
   * A session at the tree as it was made.
   * @param retired number of files that are made and removed first, so that memory waits for its grace period
   */
  open(retired = 0): AllocSession {
    const all = new Uint8Array(this.#memory.buffer);
    all.set(this.#bytes);
    all.fill(0, this.#bytes.length);
    const session = new AllocSession(this.#memory);
    session.other = this.#other;
    session.settle();
    for (let n = 0; n < retired; n++) must(session.file(`/retired-${n}`, "r".repeat(n)));
    for (let n = 0; n < retired; n++) must(session.unlink(`/retired-${n}`));
    return session;
  }
}

/** The result of a step of the preparation. @throws Error when it is an errno */
export function must(result: number): number {
  if (result < 0) throw new Error(`alloc: the preparation failed: ${result}`);
  return result;
}

/** Makes an object of each kind that the operations work on; returns the number of a second context. */
function populate(session: AllocSession): number {
  for (const path of [
    "/w",
    "/w/sub",
    "/w/drv",
    "/w/mnt",
    "/w/limit",
    "/w/heir",
    "/w/empty-dir",
    "/w/place",
    "/w/bound",
  ])
    must(session.mkdir(path));
  must(session.file("/w/empty"));
  must(session.file("/w/file", "0123456789"));
  must(session.file("/w/other", "other"));
  must(session.file("/w/page", "p".repeat(4096)));
  must(session.file("/w/many", "m".repeat(30_000)));
  must(session.file("/w/cut", "c".repeat(30_000)));
  must(session.file(`/w/${LONG}-there`, "long"));
  must(session.symlink("file", "/w/link"));
  must(session.setacl("/w/heir", 2, 1));
  must(session.file("/w/listed", "a"));
  must(session.setacl("/w/listed", 1));
  must(session.mount("/w/drv", session.box));
  must(session.mount("/w/mnt"));
  must(session.file("/w/mnt/inside", "i"));
  must(session.core.sysMountNew(0, session.path("/w/limit"), 0, 0, 4 * 4096, 4, 0));
  must(session.file("/w/limit/file"));
  must(session.bind("/w/sub", "/w/bound"));
  // A file system in a directory that has several names, and one on another in a directory that goes stale.
  must(session.mkdir("/w/alias"));
  must(session.mount("/w/alias", session.driverNumber("alias")));
  must(session.mount("/w/alias/a/c/deep"));
  must(session.file("/w/alias/a/c/deep/inside", "i"));
  must(session.mkdir("/w/twin"));
  must(session.mount("/w/twin", session.driverNumber("twin")));
  must(session.mount("/w/twin/a/c/deep"));
  must(session.mkdir("/w/twin/a/c/deep/in"));
  must(session.mount("/w/twin/a/c/deep/in"));
  const other = must(session.context(3));
  // This thread detaches, and others use the context.
  must(session.core.contextKeep(other));
  return other;
}
