/** The file system type. */
import type { Context } from "../api/context.js";
import type { Vfs } from "../api/vfs.js";
import type { KeysOf } from "../bridge/options.js";
import { readOptions } from "../bridge/options.js";
import { invalidArgType, invalidArgValue } from "../errors/errors.js";
import { Build } from "./build.js";
import { nodeOps } from "./node-ops.js";
import { streamOps } from "./stream-ops.js";
import { Tree } from "./tree.js";
import type { FileSystemType, FsMount, RawFs } from "./types.js";

/** Options of `FS.mount(threadfs, options, mountpoint)`. */
export interface MountOptions {
  /** The tree. The program gets a context of its own in it: descriptors, locks, and the credentials of the handle that this thread has attached with. */
  vfs?: Vfs | undefined;
  /** A context that the program shall have instead, such as one with another uid. Two mounts of one program that have the same context have their locks in common. */
  context?: Context | undefined;
  /** `Module.FS` of the program. */
  FS: object;
  /** The directory of the tree that is mounted; the program cannot leave it. Only with `vfs`. Default: "/". */
  root?: string | undefined;
}

const OPTIONS: KeysOf<MountOptions> = { vfs: true, context: true, FS: true, root: true };

/** What is known of each FS. */
const builds = new WeakMap<object, Build>();

/** The tree of each mount. */
const trees = new WeakMap<FsMount, Tree>();

/** @internal */
export function treeOf(mount: FsMount): Tree | undefined {
  return trees.get(mount);
}

/** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE @internal */
export function buildOf(fs: unknown, name: string): Build {
  if (typeof fs !== "object" || fs === null) throw invalidArgType(name, "of type object: Module.FS of the program", fs);
  const known = builds.get(fs);
  if (known !== undefined) return known;
  const build = new Build(fs as RawFs);
  builds.set(fs, build);
  return build;
}

function contextOf({ vfs, context, root }: Partial<MountOptions>): Context {
  if ((vfs === undefined) === (context === undefined)) {
    throw invalidArgType("options.vfs", "a Vfs, or options.context a Context", vfs);
  }
  if (context !== undefined) {
    if (root !== undefined)
      throw invalidArgValue("options.root", root, "is for options.vfs: a context has a root of its own");
    return context;
  }
  return (vfs as Vfs).context(root === undefined ? {} : { root, resolve: "in-root" });
}

/** The options of FS.mount(). The Closure compiler renames where FS has put them. */
function optionsOf(mounted: FsMount): unknown {
  if ("opts" in mounted) return mounted.opts;
  return Object.values(mounted).find(
    (value) => typeof value === "object" && value !== threadfs && !Array.isArray(value),
  );
}

function mount(mounted: FsMount): never {
  const options = readOptions<MountOptions>(optionsOf(mounted), OPTIONS);
  const build = buildOf(options.FS, "options.FS");
  const context = contextOf(options);
  // A context of the caller's is the caller's to close.
  if (options.context === undefined) build.whenUnused(mounted, () => context.close());
  const tree = new Tree(build, context);
  tree.ops = { node: nodeOps(tree), stream: streamOps(tree) };
  trees.set(mounted, tree);
  build.walkAtOnce(mounted, tree);
  return tree.rootOf(mounted) as never;
}

/**
 * A file system type of Emscripten: `FS.mount(threadfs, { vfs, FS }, "/mnt")` lets a program work on a tree, in this thread and beside other threads,
 * each of which may run a program of its own. docs/emscripten.md says what works.
 *
 * A context that the mount has made ends with FS.unmount(), when its last file is closed, and with the thread.
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE for bad options, or for an FS whose members have been renamed; what
 * {@link Vfs.context} throws
 */
export const threadfs: FileSystemType = {
  mount,
  syncfs: (_mount, _populate, done) => void done(null),
};
