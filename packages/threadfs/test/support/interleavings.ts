/**
 * What the tests of old bugs share: trees to force an interleaving on, a tree for real threads, and one change tried at
 * every point that a walk passes.
 */
import assert from "node:assert/strict";
import { ERRNO, POINT } from "../../dist/abi/abi.js";
import {
  ACL_TAG,
  type AclEntry,
  type CreateOptions,
  createVfs,
  type Driver,
  type FsSync,
  type SecurityHook,
  type Vfs,
} from "../../dist/src/index.js";
import { type DebugTree, type DebugTreeOptions, treeFor } from "./debug-tree.js";
import { codeOf } from "./errors.js";
import { type HookedVfs, of, type TestScope, walkerOf } from "./hooked-vfs.js";
import { memoryOf, type TreeMemory } from "./memory.js";

/** How long real threads run against each other. */
export const RACE_MS = 700;

/** An ACL that gives user 1000 what the mode 0755 gives it anyway. */
export const REDUNDANT_ACL: readonly AclEntry[] = [
  { tag: ACL_TAG.USER_OBJ, perm: 7 },
  { tag: ACL_TAG.USER, id: 1000, perm: 5 },
  { tag: ACL_TAG.GROUP_OBJ, perm: 5 },
  { tag: ACL_TAG.MASK, perm: 7 },
  { tag: ACL_TAG.OTHER, perm: 5 },
];

/** Inodes whose permission a security hook decides outside of rcu mode alone: each takes a walk out of it. */
export class AskedInRef {
  readonly inos = new Set<number>();
  readonly security: SecurityHook = (ino, _mask, rcu) => (rcu && this.inos.has(ino) ? -ERRNO.ECHILD : 0);

  add({ fs }: Pick<Vfs, "fs">, path: string): void {
    this.inos.add(fs.statSync(path).ino);
  }
}

/** A tree, an attachment that walks and one that makes changes meanwhile. */
export interface Interleaved {
  readonly tree: DebugTree;
  readonly vfs: HookedVfs;
  readonly fs: FsSync;
  readonly peer: HookedVfs;
  readonly walker: HookedVfs;
  readonly memory: TreeMemory;
}

export async function setUp(t: TestScope, options?: DebugTreeOptions): Promise<Interleaved> {
  const tree = await treeFor(t, options);
  const { vfs } = tree;
  const peer = await walkerOf(t, vfs.handle);
  const walker = await walkerOf(t, vfs.handle);
  return { tree, vfs, fs: vfs.fs, peer, walker, memory: memoryOf(vfs) };
}

/** A tree, whose own attachment walks, and an attachment that makes changes meanwhile. */
export interface Scene {
  readonly tree: DebugTree;
  readonly walker: HookedVfs;
  readonly writer: HookedVfs;
  readonly memory: TreeMemory;
}

export async function scene(t: TestScope, options?: DebugTreeOptions): Promise<Scene> {
  const tree = await treeFor(t, options);
  return { tree, walker: tree.vfs, writer: await tree.attach(), memory: memoryOf(tree.vfs) };
}

/** A tree on the build that ships. */
export async function shippedTree(t: TestScope, options: Partial<CreateOptions> = {}): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 64 << 20, ...options });
  t.after(() => vfs.close());
  return vfs;
}

/** A time of access later than any change, in seconds. */
const LATER = 4_000_000_000;

/** Makes a link that is followed without an update of its time of access, which would take a walk out of rcu mode. */
export function freshLink(fs: FsSync, target: string, path: string): void {
  fs.symlinkSync(target, path);
  fs.lutimesSync(path, LATER, 0);
}

/** Makes a link's time of access older than its last change: the next walk over it updates it. */
export function makeOld(fs: FsSync, path: string): void {
  fs.lutimesSync(path, 0, 0);
}

/** Registers a driver in every attachment and mounts it by the first. */
export function mountDriverAt(driver: Driver, at: string, first: Vfs, ...others: readonly Vfs[]): void {
  for (const vfs of [first, ...others]) vfs.registerDriver(driver);
  first.fs.mkdirSync(at);
  first.mount("none", at, driver.name);
}

/** Points of the read side in the order a step passes them. */
const STEP_POINTS = [
  "WALK_START",
  "COMPONENT",
  "SEQ_OPENED",
  "NAME_READ",
  "COMPARED",
  "FOUND",
  "PARENT_CHECK",
  "MOUNT_CHECK",
  "MOUNT_DOWN",
  "LINK",
  "ATTR_COPIED",
  "COMPLETE",
  "UNLAZY_HALF",
  "LOCKED_LOOKUP",
] as const;

export interface Interleaving {
  /** Makes the state from which a call starts. */
  prepare(): unknown;
  /** The call of the walker. */
  call(fs: FsSync): unknown;
  /** The change, made at a point inside the call. */
  change(): unknown;
  /** Judges the code of the call's error; undefined when it succeeded. */
  check(code: string | undefined, where: string): void;
}

/**
 * Makes the call with the change at the n-th passing of every point that the call passes, each time from a fresh state.
 * Returns how many interleavings happened.
 */
export function atEveryPoint(walker: HookedVfs, { prepare, call, change, check }: Interleaving): number {
  prepare();
  const passed = walker.points(() => codeOf(() => call(walker.fs)));
  let happened = 0;
  for (const name of STEP_POINTS) {
    const id = POINT[name];
    const times = of(passed, id).length;
    for (let nth = 1; nth <= times; nth++) {
      prepare();
      walker.at(id, change, nth);
      const code = codeOf(() => call(walker.fs));
      if (walker.waits(id)) {
        walker.never();
        continue;
      }
      happened++;
      check(code, `${name} ${nth}`);
    }
  }
  assert.ok(happened > 0, "no interleaving happened");
  return happened;
}
