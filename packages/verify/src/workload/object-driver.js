/** A small driver for the checks of failing memory: its state is made anew each time, and can be shown. */

const DIR = 0o040755;
const FILE = 0o100644;
const LINK = 0o120777;

/** What changes a driver's things: several threads, each with a box of its own, would not agree on them. */
const CHANGES = ["write", "create", "unlink", "setattr"];

/** The same box, which never changes: every thread may have its own. */
export function immutableObjectDriver() {
  const driver = objectDriver();
  for (const hook of CHANGES) delete driver[hook];
  return driver;
}

/** A driver named "box" with a directory, a file in it, and a link to a file of the tree; `content()` shows what it holds. */
export function objectDriver() {
  const nodes = new Map();
  let last = 0;
  const add = (node) => {
    node.ino = ++last;
    nodes.set(node.ino, node);
    return node;
  };
  const root = add({ mode: DIR, children: new Map() });
  const dir = add({ mode: DIR, children: new Map() });
  root.children.set("d", dir);
  dir.children.set("f", add({ mode: FILE, size: 1 }));
  root.children.set("l", add({ mode: LINK, link: "/w/file" }));
  root.children.set("n".repeat(100), add({ mode: FILE, size: 2 }));
  return {
    name: "box",
    root: () => root,
    lookup: (at, name) => nodes.get(at).children.get(name) ?? null,
    readlink: (at) => nodes.get(at).link,
    readdir: (at) => [...nodes.get(at).children].map(([name, { ino, mode }]) => ({ name, ino, mode })),
    read: () => 0,
    write: (at, offset, data) => {
      nodes.get(at).size = offset + data.length;
      return data.length;
    },
    create(at, name, mode, target) {
      const { children } = nodes.get(at);
      if (children.has(name)) throw Object.assign(new Error(name), { code: "EEXIST" });
      const isDir = (mode & 0o170000) === 0o040000;
      const node = add({ mode, link: target, children: isDir ? new Map() : undefined });
      children.set(name, node);
      return node;
    },
    unlink(at, _node, name) {
      nodes.get(at).children.delete(name);
    },
    setattr(at, changes) {
      return Object.assign(nodes.get(at), changes);
    },
    /** Not a hook: all that is in it, by path. */
    content(node = root, path = "") {
      const lines = [`${path}/ ${node.mode.toString(8)} ${node.size ?? ""} ${node.link ?? ""}`];
      for (const [name, child] of node.children ?? []) lines.push(...this.content(child, `${path}/${name}`));
      return lines;
    },
  };
}
