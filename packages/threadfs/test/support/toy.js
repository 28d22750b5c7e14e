/** A small file system as a driver, whose calls are noted, for the tests of the hooks. */
import { codeOf } from "./tree.js";

const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const ROOT = 1;

/** One walk, also where it fails. */
export const look = (who, path) => codeOf(() => who.fs.accessSync(path, 0));
export const error = (code) => Object.assign(new Error(code), { code });

/** A driver whose nodes are given as { name: [ino, mode] } for its root; `hooks` are added. */
export function flatDriver(name, nodes, hooks = {}) {
  return {
    name,
    root: () => ({ ino: 1, mode: S_IFDIR | 0o755 }),
    lookup(_dir, wanted) {
      const node = nodes[wanted];
      return node === undefined ? null : { ino: node[0], mode: node[1] | 0o777 };
    },
    ...hooks,
  };
}

/** Registers a driver and mounts it at /m. */
export function mountDriver(vfs, driver) {
  vfs.registerDriver(driver);
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", driver.name);
}

/**
 * A small file system in a Map: ino -> { mode, names (of a directory), text, target }. Answers the driver with the hooks
 * named, and `calls`, what was called with which arguments.
 */
export function toyDriver(name, hookNames) {
  const nodes = new Map([[ROOT, { mode: S_IFDIR | 0o755, names: {} }]]);
  const calls = [];
  let last = ROOT;
  const attributes = (ino) => {
    const { mode, text = "", uid = 0, gid = 0, mtimeMs = 0 } = nodes.get(ino);
    return { ino, mode, uid, gid, mtimeMs, size: text.length };
  };
  const make = (dir, entry, mode, more = {}) => {
    const ino = ++last;
    nodes.set(ino, { mode, ...((mode & S_IFMT) === S_IFDIR ? { names: {} } : {}), ...more });
    nodes.get(dir).names[entry] = ino;
    return ino;
  };
  const hooks = {
    lookup: (dir, entry) => (entry in nodes.get(dir).names ? attributes(nodes.get(dir).names[entry]) : null),
    hash: (_dir, entry) => entry.length,
    compare: (_dir, _node, cached, wanted) => cached.toLowerCase() === wanted.toLowerCase(),
    revalidate: () => true,
    permission: () => {},
    checkAcl: () => undefined,
    readlink: (node) => nodes.get(node).target,
    putLink: () => {},
    iput: () => {},
    deleteUnused: () => false,
    readdir: (node) =>
      Object.entries(nodes.get(node).names).map(([entry, ino]) => ({ name: entry, ino, mode: nodes.get(ino).mode })),
    read: (node, offset, into) => {
      const bytes = new TextEncoder().encode(nodes.get(node).text ?? "").subarray(offset, offset + into.length);
      into.set(bytes);
      return bytes.length;
    },
    write: (node, offset, data) => {
      const file = nodes.get(node);
      const text = file.text ?? "";
      file.text = text.slice(0, offset) + new TextDecoder().decode(data) + text.slice(offset + data.length);
      return data.length;
    },
    create: (dir, entry, mode, target) => attributes(make(dir, entry, mode, { target })),
    unlink: (dir, _node, entry) => {
      delete nodes.get(dir).names[entry];
    },
    setattr: (node, { mode, uid, gid, size, mtimeMs }) => {
      const file = nodes.get(node);
      if (mode !== undefined) file.mode = (file.mode & S_IFMT) | mode;
      if (uid !== undefined) Object.assign(file, { uid, gid });
      if (size !== undefined) file.text = (file.text ?? "").slice(0, size).padEnd(size, "\0");
      if (mtimeMs !== undefined) file.mtimeMs = mtimeMs;
      return attributes(node);
    },
  };
  const driver = { name, root: () => attributes(ROOT) };
  for (const hook of hookNames) {
    driver[hook] = (...args) => {
      calls.push([hook, ...args.map((arg) => (arg instanceof Uint8Array ? arg.length : arg))]);
      return (driver.on?.[hook] ?? hooks[hook])(...args);
    };
  }
  /** Replaces what hooks do; the calls stay noted. */
  driver.on = {};
  return { driver, nodes, calls, make };
}

export function mount(vfs, driver, at = "/m") {
  vfs.registerDriver(driver);
  vfs.fs.mkdirSync(at, { recursive: true });
  vfs.mount(null, at, driver.name);
}

/** The arguments of each call of one hook. */
export const called = (calls, hook) => calls.filter(([name]) => name === hook).map(([, ...args]) => args);
