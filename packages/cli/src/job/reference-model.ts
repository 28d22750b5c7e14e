/**
 * A second, slow and simple path resolver over plain objects: it knows the right answers without asking the tree. Its places
 * depend on the state of a moving thing, so that it finds for each path on which things the answer depends, and the answer
 * in each of their states.
 *
 * It is not the model of packages/verify, which runs whole system calls step by step on copies of a small tree: this one
 * only resolves paths, knows unfinished states instead of interleavings, and holds a million entries.
 */
import { constants } from "node:os";

const { ENAMETOOLONG, ELOOP, ENOENT, ENOTDIR } = constants.errno;

const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;

/** Limits as Linux has them: bytes of a name, bytes of a path without its NUL. */
const NAME_MAX = 255;
const PATH_MAX = 4095;

/** More links than this in one lookup are ELOOP (Linux: MAXSYMLINKS). */
const MAX_LINKS = 40;

/** A file, directory or link, with its attributes as stat returns them. */
export interface Node {
  /** Type and permissions; negative: the type only, the rest is not known. */
  mode: number;
  /** -1: not known. */
  size: number;
  /** -1: not known; -(2 + n): as published by moving thing n, see moving.ts. */
  ino: number;
  device: number;
  /** Body of a link; no other node has one. */
  target?: string;
  /** The entries of a directory; no other node has any. */
  children?: Map<string, Node>;
  /** Names in this directory that depend on a moving thing. */
  places?: Map<string, Place>;
  /** What is mounted over this directory. */
  cover?: Place;
}

/** The node that a name has, or that covers a directory, in each state of a thing; null: none. */
export interface Place {
  thing: number;
  byState: (Node | null)[];
}

/** Returns the state of a thing; called for each thing that the answer depends on. */
export type StateOf = (thing: number) => number;

/** Values of `Node.device`: not known, that of the loaded tree, any but that. */
export const DEVICE = { ANY: 0, TREE: 1, OTHER: 2 } as const;

/** A directory. Its size depends on the file system and is not known. */
export function directoryNode(mode: number, ino: number): Node {
  return { mode, size: -1, ino, device: DEVICE.TREE, children: new Map() };
}

/** A directory of which only the type is known. */
export function someDirectory(device: number): Node {
  return { mode: -S_IFDIR, size: -1, ino: -1, device, children: new Map() };
}

/** The node of a loaded entry. */
export function nodeOf(loaded: { mode: number; size: number; ino: number; target?: string }): Node {
  const { mode, size, ino, target } = loaded;
  if ((mode & 0o170000) === S_IFDIR) return directoryNode(mode, ino);
  if (target === undefined) return { mode, size, ino, device: DEVICE.TREE };
  // Linux's links have all permissions, whatever the system says that they were loaded from.
  return { mode: S_IFLNK | 0o777, size, ino, device: DEVICE.TREE, target };
}

export class Model {
  readonly root: Node = someDirectory(DEVICE.TREE);

  /** Adds a node at an absolute path, with directories above it that were not added. */
  add(path: string, node: Node): void {
    const names = path.split("/").filter((name) => name !== "");
    const last = names.pop();
    if (last === undefined) return;
    let directory = this.root;
    for (const name of names) {
      let child = directory.children?.get(name);
      if (!child) {
        child = someDirectory(DEVICE.TREE);
        directory.children?.set(name, child);
      }
      directory = child;
    }
    directory.children?.set(last, node);
  }

  /** The node at a path on which nothing moves and nothing is a link; undefined when there is none. */
  get(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    for (const name of path.split("/")) if (name !== "") node = node?.children?.get(name);
    return node;
  }

  /**
   * Resolves an absolute path as path_resolution(7) says: links in the middle always, at the end when `follow`.
   * Returns the node or a negative errno.
   */
  resolve(path: string, follow: boolean, stateOf: StateOf): Node | number {
    if (Buffer.byteLength(path) > PATH_MAX) return -ENAMETOOLONG;
    const todo = path.split("/").reverse();
    // The nodes from the root down to `here`: ".." goes back on them, which is right across mounts and moved directories.
    let way: Node[] = [];
    let here = this.root;
    let links = 0;
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === "" && todo.length > 0) continue;
      if (!here.children) return -ENOTDIR;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        here = way.pop() ?? here;
        continue;
      }
      const found = this.#step(here, name, stateOf);
      if (typeof found === "number") return found;
      if (found.target === undefined || (todo.length === 0 && !follow)) {
        way.push(here);
        here = found;
        continue;
      }
      if (++links > MAX_LINKS) return -ELOOP;
      if (found.target.startsWith("/")) {
        way = [];
        here = this.root;
      }
      for (const part of found.target.split("/").reverse()) todo.push(part);
    }
    return here;
  }

  #step(directory: Node, name: string, stateOf: StateOf): Node | number {
    if (Buffer.byteLength(name) > NAME_MAX) return -ENAMETOOLONG;
    const place = directory.places?.get(name);
    let node = place ? place.byState[stateOf(place.thing)] : directory.children?.get(name);
    if (!node) return -ENOENT;
    if (node.cover) node = node.cover.byState[stateOf(node.cover.thing)] ?? node;
    return node;
  }
}
