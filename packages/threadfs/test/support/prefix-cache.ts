/** For the tests of the prefix cache: attachments with and without it, and a look at its entries. */
import assert from "node:assert/strict";
import { defined } from "../../../cli/dist/support/defined.js";
import { AT_FDCWD, type CoreExports, POINT, STAT } from "../../dist/abi/abi.js";
import { G_PREFIX_SETS, PREFIX_CACHE_ENTRY } from "../../dist/generated/core-layout.js";
import { Context } from "../../dist/src/api/context.js";
import { Attachment } from "../../dist/src/bridge/attachment.js";
import type { FsSync, HostOptions, VfsHandle } from "../../dist/src/index.js";
import { type DebugTree, type DebugTreeOptions, treeFor } from "./debug-tree.js";
import { type HookedVfs, type PointControls, PointHooks, type TestScope } from "./hooked-vfs.js";
import { memoryOf } from "./memory.js";
import { putPath } from "./raw-core.js";

/** Bits of walkMode(). */
export const WITHOUT_PREFIX_CACHE = 2;
export const WITH_PREFIX_CACHE = 4;

const ENTRY = PREFIX_CACHE_ENTRY;
/** Fields of an entry, as core/vfs/walk/prefix-cache.ts has them. */
/** 16 bits. */
export const ENTRY_LEN = 12;
export const ENTRY_CHAIN_END = 14;
/** The count of changes of directories under which the chain was seen as the entry has it. */
export const ENTRY_CHANGES = 20;
export const ENTRY_DIRECTORY = 24;
export const ENTRY_CHAIN = 32;
export const ENTRY_WORDS = 96;

/** A directory whose path is long enough for the prefix cache, those on the way to it, and a file in it. */
export const DIRECTORY = "/first-level/second-level/third-level";
export const LEVELS = ["/first-level", "/first-level/second-level", DIRECTORY] as const;
export const FILE = `${DIRECTORY}/file`;

/** How many entries a prefix cache of this tree has: every set has three. */
export function entriesOf(vfs: { readonly handle: VfsHandle }): number {
  return memoryOf(vfs).word(G_PREFIX_SETS) * 3;
}

/** An attachment that walks in one mode. */
export interface CachedWalker extends Pick<PointControls, "at" | "waits"> {
  readonly attachment: Attachment;
  readonly core: CoreExports;
  readonly fs: FsSync;
  readonly context: Context;
  /** The inode number of a path, or -errno. */
  ino(path: string, dirfd?: number): number;
  access(path: string, mask: number): number;
  /** Components that the last ino() walked. */
  readonly steps: number;
  /** Points that the last ino() passed. */
  readonly passed: readonly number[];
  /** Walks to the path until the prefix cache holds its directory; fails when it never does. */
  learn(path: string, dirfd?: number): CachedWalker;
  /** Whether one more ino() starts from the prefix cache. */
  knows(path: string, dirfd?: number): boolean;
  /** Addresses of the cache's entries that hold a path of `length` bytes; undefined: the thread has no cache. */
  entries(length: number): number[] | undefined;
}

/** Walks by ino() count their steps from the call of ino() on; actions may run in any call. */
class PassedPoints {
  readonly hooks = new PointHooks();
  ids: number[] = [];

  readonly point = (id: number, a: number, b: number): void => {
    this.ids.push(id);
    this.hooks.point(id, a, b);
  };
}

/** An attachment of this thread in one mode, which closes with the test. */
export function cachedWalker(
  t: TestScope,
  handle: VfsHandle,
  mode = WITH_PREFIX_CACHE,
  host: HostOptions = {},
): CachedWalker {
  const passed = new PassedPoints();
  const attachment = Attachment.attach(handle, { ...host, point: passed.point });
  t.after(() => attachment.close());
  const { core } = attachment;
  core.walkMode(mode);
  const context = new Context(attachment, handle.ctx, false);
  const walker: CachedWalker = {
    attachment,
    core,
    fs: context.fs,
    context,
    at: passed.hooks.at,
    waits: passed.hooks.waits,
    ino(path, dirfd = AT_FDCWD) {
      passed.ids = [];
      const result = core.sysStat(handle.ctx, dirfd, putPath(attachment, path), 0);
      return result < 0 ? result : defined(attachment.stat[STAT.ino], "inode number");
    },
    access: (path, mask) => core.sysAccess(handle.ctx, AT_FDCWD, putPath(attachment, path), mask, 0),
    get steps() {
      return passed.ids.filter((id) => id === POINT.COMPONENT).length;
    },
    get passed() {
      return passed.ids;
    },
    learn(path, dirfd = AT_FDCWD) {
      for (let i = 0; i < 4; i++) walker.ino(path, dirfd);
      assert.equal(walker.steps, 1, `only the last component of ${path} is walked`);
      return walker;
    },
    knows(path, dirfd = AT_FDCWD) {
      walker.ino(path, dirfd);
      return walker.steps === 1;
    },
    entries(length) {
      const memory = memoryOf({ handle });
      const base = memory.prefixCache(core.threadSlot());
      if (base === 0) return undefined;
      const all = Array.from({ length: entriesOf({ handle }) }, (_, i) => base + i * ENTRY);
      return all.filter((entry) => (memory.word(entry + ENTRY_LEN) & 0xffff) === length);
    },
  };
  return walker;
}

/** A tree, and attachments with and without the prefix cache. */
export interface CachedTree {
  readonly tree: DebugTree;
  readonly vfs: HookedVfs;
  readonly fs: FsSync;
  readonly walker: CachedWalker;
  /** Has no prefix cache. */
  readonly plain: CachedWalker;
}

/** A tree with FILE and, at /other, directories of the same names with another file of that name. */
export async function setUp(t: TestScope, options?: DebugTreeOptions): Promise<CachedTree> {
  const tree = await treeFor(t, options);
  const { vfs } = tree;
  const { fs } = vfs;
  fs.mkdirSync(DIRECTORY, { recursive: true });
  fs.writeFileSync(FILE, "one");
  fs.mkdirSync(`/other${DIRECTORY}`, { recursive: true });
  fs.writeFileSync(`/other${FILE}`, "two");
  return {
    tree,
    vfs,
    fs,
    walker: cachedWalker(t, vfs.handle),
    plain: cachedWalker(t, vfs.handle, WITHOUT_PREFIX_CACHE),
  };
}
