/**
 * FS.lookupPath() of a path in a tree, with one lookup. FS asks for each component of a path by itself, since it has to follow links; the tree walks the whole path, and refuses one with
 * a link in it (RESOLVE_NO_SYMLINKS). So no node is remembered, and none can be older than the call.
 *
 * Whatever is not a plain path below one mount is for FS's own function: links, dots, slashes at the end, other mounts below, errors but for ENOENT.
 */
import { ENOENT } from "../../abi/errno.js";
import { S_IFDIR, S_IFLNK } from "../../abi/mode.js";
import type { Tree } from "./tree.js";
import type { FsMount, FsNode, RawFs } from "./types.js";

/** Directories whose nodes are kept, for their names. */
const DIRECTORIES_MAX = 1024;
/** An empty component, a dot, two dots: also at the end. */
const NOT_PLAIN = /\/\.{0,2}(?:\/|$)/;

/** Options of FS.lookupPath() that matter here. */
interface LookupOptions {
  parent?: boolean;
  follow?: boolean;
  follow_mount?: boolean;
  noent_okay?: boolean;
}

type Found = { path: string; node?: FsNode };
type LookupPath = (path: string, options?: LookupOptions) => Found;

/** A mount, and where it is in the program. */
class Place {
  readonly mount: FsMount;
  readonly tree: Tree;
  /** Its place, with a slash behind it. */
  readonly prefix: string;
  readonly #names: readonly string[];
  /** The directory that it hides, when FS has mounted it. */
  #hidden: FsNode | undefined;
  /** Nodes of directories by their paths in the tree. They tell names and parents, and nothing that could become wrong. */
  readonly #directories = new Map<string, FsNode>();

  constructor(mount: FsMount, tree: Tree) {
    this.mount = mount;
    this.tree = tree;
    this.prefix = `${mount.mountpoint}/`;
    this.#names = mount.mountpoint.split("/").slice(1);
  }

  /** Whether its place still is what leads to it: a directory above may have been renamed. */
  isReached(root: FsNode | null, find: LookupPath): boolean {
    const { mount } = this;
    this.#hidden ??= find(mount.mountpoint, { follow_mount: false }).node;
    let node = this.#hidden;
    if (node?.mounted !== mount || (mount.mounts?.length ?? 1) > 0) return false;
    for (let i = this.#names.length - 1; i >= 0; i--) {
      if (node === undefined || node.name !== this.#names[i]) return false;
      node = node.parent;
    }
    return node === root;
  }

  /** The node of a directory, for those below it. */
  directory(path: string): FsNode {
    if (path === "") return this.mount.root as FsNode;
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const end = path.lastIndexOf("/");
    const node = this.tree.directoryNode(this.directory(path.slice(0, end)), path.slice(end + 1), path);
    if (this.#directories.size >= DIRECTORIES_MAX) this.#directories.clear();
    this.#directories.set(path, node);
    return node;
  }
}

/** The mounts of trees in one program. */
export class Walks {
  readonly #fs: RawFs;
  readonly #find: LookupPath;
  readonly #places: Place[] = [];

  /**
   * Takes the place of FS.lookupPath().
   * @param again makes a walk, and makes it again if another thread has come between its steps
   * @returns undefined: the Closure compiler has renamed what this needs
   */
  static take(fs: RawFs, again: (walk: () => Found) => Found): Walks | undefined {
    const { lookupPath, cwd } = fs;
    return typeof lookupPath === "function" && typeof cwd === "function"
      ? new Walks(fs, lookupPath as LookupPath, again)
      : undefined;
  }

  private constructor(fs: RawFs, find: LookupPath, again: (walk: () => Found) => Found) {
    this.#fs = fs;
    this.#find = (path, options) => again(() => find.call(fs, path, options));
    fs.lookupPath = (path: string, options: LookupOptions = {}) => this.#lookup(path, options) as { node: FsNode };
  }

  add(mount: FsMount, tree: Tree): void {
    if (mount.mountpoint !== "/" && mount.mounts !== undefined) this.#places.push(new Place(mount, tree));
  }

  remove(mount: FsMount): void {
    const at = this.#places.findIndex((place) => place.mount === mount);
    if (at >= 0) this.#places.splice(at, 1);
  }

  #lookup(path: string, options: LookupOptions): Found {
    if (typeof path !== "string" || this.#places.length === 0) return this.#find(path, options);
    const whole = path.startsWith("/") ? path : `${this.#fs.cwd?.()}/${path}`;
    for (const place of this.#places) {
      if (!whole.startsWith(place.prefix) || NOT_PLAIN.test(whole)) continue;
      if (!place.isReached(this.#fs.root, this.#find)) continue;
      const found = this.#walk(place, options.parent ? whole.slice(0, whole.lastIndexOf("/")) : whole, options);
      if (found !== undefined) return found;
    }
    return this.#find(path, options);
  }

  /** @returns undefined: it is for FS's own function */
  #walk(place: Place, whole: string, options: LookupOptions): Found | undefined {
    const { tree, mount } = place;
    const path = whole.slice(place.prefix.length - 1);
    if (path === "") return { path: whole, node: mount.root as FsNode };
    const result = tree.walkTo(path);
    const end = path.lastIndexOf("/");
    if (result === -ENOENT && options.noent_okay && !options.parent) {
      // Only the last name may be missing.
      const above = path.slice(0, end);
      return above === "" || (tree.walkTo(above) === 0 && tree.typeFound() === S_IFDIR) ? { path: whole } : undefined;
    }
    if (result === -ENOENT) tree.build.check(result);
    if (result < 0) return undefined;
    const isFollowed = options.follow || options.parent;
    if (isFollowed && tree.typeFound() === S_IFLNK) return undefined;
    return { path: whole, node: tree.nodeFound(place.directory(path.slice(0, end)), path.slice(end + 1), path) };
  }
}
