/** A small driver that keeps its nodes as objects: its state is made anew each time, and can be shown. */
import type { Driver } from "../../../threadfs/dist/src/index.js";
import { defined } from "../support/defined.js";

const DIR = 0o040755;
const FILE = 0o100644;
const LINK = 0o120777;

interface Node {
  ino: number;
  mode: number;
  size?: number;
  /** The body of a link. */
  link?: string;
  /** The entries of a directory. */
  children?: Map<string, Node>;
}

/** A plain object must have nothing but hooks; the object of a class may have other properties. */
class ExtendedDriver {}

/** The driver, and all that is in it, by path: one line a node. */
export type ObjectDriver = Driver & { content(): string[] };

/** The same driver without the hooks that change it: several threads, each with a copy of its own, agree on it. */
export function immutableObjectDriver(): ObjectDriver {
  const { write: _write, create: _create, unlink: _unlink, setattr: _setattr, ...driver } = objectDriver();
  return Object.assign(new ExtendedDriver(), driver);
}

/** A driver named "box" with a directory, a file in it, and a link to a file of the tree. */
export function objectDriver(): ObjectDriver {
  const nodes = new Map<number, Node>();
  let last = 0;
  const add = (attributes: Omit<Node, "ino">): Node => {
    const node = { ino: ++last, ...attributes };
    nodes.set(node.ino, node);
    return node;
  };
  const node = (ino: number): Node => defined(nodes.get(ino), `node ${ino}`);
  const children = (ino: number): Map<string, Node> => defined(node(ino).children, `directory ${ino}`);
  const root = add({ mode: DIR, children: new Map() });
  const dir = add({ mode: DIR, children: new Map() });
  children(root.ino).set("d", dir);
  children(dir.ino).set("f", add({ mode: FILE, size: 1 }));
  children(root.ino).set("l", add({ mode: LINK, link: "/w/file" }));
  children(root.ino).set("n".repeat(100), add({ mode: FILE, size: 2 }));
  const content = (from: Node, path: string): string[] => [
    `${path}/ ${from.mode.toString(8)} ${from.size ?? ""} ${from.link ?? ""}`,
    ...[...(from.children ?? [])].flatMap(([name, child]) => content(child, `${path}/${name}`)),
  ];
  return Object.assign(new ExtendedDriver(), {
    name: "box",
    root: () => root,
    generation: true,
    cacheLinks: true,
    revalidate: (at, ino, name) => (children(at).get(name)?.ino ?? null) === ino,
    lookup: (at, name) => children(at).get(name) ?? null,
    readlink: (at) => defined(node(at).link, `link ${at}`),
    readdir: (at) => [...children(at)].map(([name, { ino, mode }]) => ({ name, ino, mode })),
    read: () => 0,
    write: (at, offset, data) => {
      node(at).size = offset + data.length;
      return data.length;
    },
    create(at, name, mode, target) {
      const entries = children(at);
      if (entries.has(name)) throw Object.assign(new Error(name), { code: "EEXIST" });
      const isDir = (mode & 0o170000) === 0o040000;
      const made = add({
        mode,
        ...(target === undefined ? {} : { link: target }),
        ...(isDir ? { children: new Map() } : {}),
      });
      entries.set(name, made);
      return made;
    },
    unlink(at, _node, name) {
      children(at).delete(name);
    },
    setattr: (at, changes) => Object.assign(node(at), changes),
    content: () => content(root, ""),
  } satisfies ObjectDriver);
}
