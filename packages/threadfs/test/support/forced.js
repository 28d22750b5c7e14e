/**
 * What the tests of drops, restarts and old bugs share: attachments to any context with hooks of their own, a look at
 * the structures in memory (drawn in docs/memory.md), the gauges that must be level again when all is undone, and
 * a driver over a plain object.
 */
import { Worker } from "node:worker_threads";
import { Attachment } from "../../dist/src/bridge/attachment.js";
import { attachVfs } from "../../dist/src/index.js";

/** An attachment to the context of a handle whose passing points can be hooked, as those of debugTree(). */
export async function walkerOf(t, handle, host = {}) {
  const actions = new Map();
  let seen;
  const point = (id, a, b) => {
    seen?.push([id, a, b]);
    const entry = actions.get(id);
    if (entry === undefined || entry.left-- > 1) return;
    if (!entry.always) actions.delete(id);
    entry.action(a, b);
  };
  const vfs = await attachVfs(handle, { ...host, point });
  t.after(() => vfs.close());
  /** The action runs once, the `nth` time the point is passed. */
  vfs.at = (id, action, nth = 1) => actions.set(id, { action, left: nth });
  /** The action runs every time, until never() is called. */
  vfs.each = (id, action) => actions.set(id, { action, left: 0, always: true });
  vfs.never = () => actions.clear();
  vfs.waits = (id) => actions.has(id);
  vfs.points = (run) => {
    seen = [];
    try {
      run();
      return seen;
    } finally {
      seen = undefined;
    }
  };
  return vfs;
}

/** The core's calls themselves: for flags and descriptors that the fs surface has no way to say. */
export function rawCore(t, handle) {
  const arena = Attachment.attach(handle, {});
  t.after(() => arena.close());
  const put = (text, into) => {
    const length = arena.writeString(text, into);
    into[length] = 0;
    return length;
  };
  return {
    arena,
    core: arena.core,
    ctx: handle.ctx,
    path: (text) => put(text, arena.path),
    path2: (text) => put(text, arena.path2),
    /** renameat2(2); flags 1 NOREPLACE, 2 EXCHANGE. */
    rename(from, to, flags) {
      return arena.core.sysRename(handle.ctx, -100, put(from, arena.path), -100, put(to, arena.path2), flags);
    },
    stat(dirfd, path, flags = 0) {
      return arena.core.sysStat(handle.ctx, dirfd, put(path, arena.path), flags);
    },
    openat(dirfd, path, flags, mode = 0o644) {
      return arena.core.sysOpen(handle.ctx, dirfd, put(path, arena.path), flags, mode);
    },
  };
}

/** Words of the shared memory, by address. */
export function memoryOf(vfs) {
  const { memory } = vfs.handle;
  const word = (address) => Atomics.load(new Int32Array(memory.buffer), address >>> 2);
  return {
    word,
    seq: (dentry) => word(dentry),
    parent: (dentry) => word(dentry + 16) >>> 0,
    inode: (dentry) => word(dentry + 20) >>> 0,
    /** References on a dentry; negative: dead. */
    count: (dentry) => word(dentry + 68),
    mountCount: (mount) => word(mount + 64),
    /** Owner of an inode's i_mutex, 0: free. */
    mutex: (inode) => word(inode + 64),
    /** What the slot of a thread shows: 0 outside a read-side section. */
    epoch: (slot) => word(65536 + slot * 2048),
  };
}

/** Live objects once everything that can go has gone. */
export function gauges(vfs) {
  for (let i = 0; i < 3; i++) {
    vfs.synchronizeRcu();
    vfs.shrink(1 << 20);
  }
  const { dentries, inodes, mounts, openFiles } = vfs.counters();
  return { dentries, inodes, mounts, openFiles };
}

/** What the counters of this attachment alone grew by during a run. */
export function counted(vfs, run) {
  const before = vfs.counters({ own: true });
  run();
  const after = vfs.counters({ own: true });
  return Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
}

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

/**
 * A driver over nested plain objects: an object is a directory, a string a file, `{ link: "body" }` a link. `hooks` adds hooks or
 * replaces them. The same object may be registered by several attachments of one thread.
 */
export function objectDriver(name, content, hooks = {}) {
  const nodes = new Map();
  let last = 0;
  const add = (value, mode) => {
    const ino = ++last;
    const node = { ino, uid: 0, gid: 0 };
    if (typeof value === "string") Object.assign(node, { mode: S_IFREG | (mode ?? 0o644), size: value.length, value });
    else if (typeof value.link === "string") Object.assign(node, { mode: S_IFLNK | 0o777, link: value.link });
    else {
      const children = new Map(Object.entries(value).map(([key, child]) => [key, add(child)]));
      Object.assign(node, { mode: S_IFDIR | (mode ?? 0o755), children });
    }
    nodes.set(ino, node);
    return node;
  };
  const root = add(content);
  return {
    name,
    root: () => root,
    lookup: (dir, child) => nodes.get(dir).children.get(child) ?? null,
    readlink: (node) => nodes.get(node).link,
    read(node, offset, into) {
      const rest = new TextEncoder().encode(nodes.get(node).value).subarray(offset, offset + into.length);
      into.set(rest);
      return rest.length;
    },
    readdir: (dir) => [...nodes.get(dir).children].map(([child, { ino, mode }]) => ({ name: child, ino, mode })),
    create(dir, child, mode, target) {
      const value = target !== undefined ? { link: target } : (mode & 0o170000) === S_IFDIR ? {} : "";
      const node = add(value, mode & 0o7777);
      nodes.get(dir).children.set(child, node);
      return node;
    },
    unlink(dir, _node, child) {
      nodes.get(dir).children.delete(child);
    },
    ...hooks,
    /** Not a hook: puts something into the directory behind the tree's back. */
    put(dir, child, value) {
      const node = add(value);
      (dir === undefined ? root : nodes.get(dir)).children.set(child, node);
      return node;
    },
  };
}

/**
 * Real threads: each body (of a function of `vfs`, `raw`, `running`, `data`, `tools`) runs in a worker of its own on the
 * tree of `handle`, all at a time, for `ms` milliseconds. Answers what they returned.
 */
export async function threads(handle, ms, bodies, data = {}) {
  const flags = new Int32Array(new SharedArrayBuffer(4));
  const workers = bodies.map((body) => {
    const workerData = { handle, body, data, flags };
    const worker = new Worker(new URL("./thread.worker.js", import.meta.url), { workerData });
    const messages = [];
    const waiting = [];
    const settle = (message) => {
      const next = waiting.shift();
      if (next) next(message);
      else messages.push(message);
    };
    worker.on("message", settle);
    worker.on("error", (error) => settle({ error: `${error.stack}` }));
    worker.on("exit", () => settle({ error: "the thread ended" }));
    const next = () => (messages.length > 0 ? messages.shift() : new Promise((resolve) => waiting.push(resolve)));
    return { worker, next };
  });
  try {
    for (const { next } of workers) {
      const { error } = await next();
      if (error) throw new Error(error);
    }
    Atomics.store(flags, 0, 1);
    Atomics.notify(flags, 0);
    await new Promise((resolve) => setTimeout(resolve, ms));
    Atomics.store(flags, 0, 2);
    const answers = [];
    for (const { next } of workers) {
      const { value, error } = await next();
      if (error) throw new Error(error);
      answers.push(value);
    }
    return answers;
  } finally {
    Atomics.store(flags, 0, 2);
    Atomics.notify(flags, 0);
    for (const { worker } of workers) await worker.terminate();
  }
}
