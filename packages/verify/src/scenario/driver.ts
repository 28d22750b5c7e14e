/**
 * The small file systems behind the drivers of the explored trees: plain functions, called through the host's `driverCall`. Each
 * keeps its nodes in one plain object. Where it is not "exact" it reports every other name that is revalidated as stale, so that walks
 * leave rcu mode and look the name up again although the tree has not changed.
 */
import {
  DRIVER_BODY,
  DRIVER_OP,
  ERRNO,
  HOOK,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  SCRATCH,
} from "../../../threadfs/dist/abi/abi.js";
import type { DriverContents, DriverNodes } from "../model/state.js";
import { defined } from "../support/defined.js";
import { writeDirent } from "../support/dirents.js";
import type { ScratchThread } from "./core-calls.js";

export const DRIVER_NAME = "twig";
export const DRIVER_HOOKS = HOOK.LOOKUP | HOOK.REVALIDATE | HOOK.READDIR | HOOK.CREATE | HOOK.UNLINK;
/** The same without revalidation: walks stay in rcu mode there, also over names that do not exist. */
export const CACHED_HOOKS = HOOK.LOOKUP | HOOK.READDIR | HOOK.CREATE | HOOK.UNLINK;

/** Directories under several names, and no hook that every walk needs. */
export const ALIAS_HOOKS = HOOK.LOOKUP | HOOK.READDIR;
/** Names whose nodes are compared with what they were, as a network file system does. */
export const EXACT_HOOKS = HOOK.LOOKUP | HOOK.REVALIDATE | HOOK.READDIR | HOOK.CREATE;
/** Links that are asked for outside of rcu mode; and in it too. */
export const LINK_HOOKS = CACHED_HOOKS | HOOK.READLINK;
export const RCU_LINK_HOOKS = LINK_HOOKS | HOOK.RCU_READLINK;

type DriverNode = DriverNodes[number];
export interface DriverState {
  /** Names that were revalidated. */
  asked: number;
  /** The last number of a node. */
  last: number;
  nodes: DriverNodes;
  /** A name is stale when it has another node than in the cache, and only then. */
  exact: boolean;
  remade: DriverContents["remade"];
}

/** A thread whose host has the driver: threads of one tree share `driverState`. */
export interface DriverThread extends ScratchThread {
  driverState: DriverState;
  clock: number;
}

const DIR = S_IFDIR | 0o755;
const FILE = S_IFREG | 0o644;
const LINK = S_IFLNK | 0o777;

/** The root, /f, /s, /s/g. */
export const TWIG: DriverContents = {
  nodes: {
    1: { mode: DIR, kids: { f: 2, s: 3 } },
    2: { mode: FILE },
    3: { mode: DIR, kids: { g: 4 } },
    4: { mode: FILE },
  },
};
/** The same, /l, which leads to /s, and /t, which leads out of the driver and back in. */
export const TWIG_LINKS: DriverContents = {
  nodes: {
    1: { mode: DIR, kids: { f: 2, s: 3, l: 5, t: 6 } },
    2: { mode: FILE },
    3: { mode: DIR, kids: { g: 4 } },
    4: { mode: FILE },
    5: { mode: LINK, body: "s" },
    6: { mode: LINK, body: "/m/l/g" },
  },
};
/** Directories under /p/x and /q/x, and under /p/y and /q/y; /a and /b, each also in the other. */
export const ALIASES: DriverContents = {
  byNumber: true,
  nodes: {
    1: { mode: DIR, kids: { a: 10, b: 11, p: 12, q: 13 } },
    10: { mode: DIR, kids: { toB: 11 } },
    11: { mode: DIR, kids: { toA: 10 } },
    12: { mode: DIR, kids: { x: 14, y: 16 } },
    13: { mode: DIR, kids: { x: 14, y: 16 } },
    14: { mode: DIR, kids: { g: 15 } },
    15: { mode: FILE },
    16: { mode: DIR, kids: {} },
  },
};
/** The directories /s and /s/d, which are other ones once a file "again" has been made. */
export const REMADE: DriverContents = {
  byNumber: true,
  remade: { by: "again", entries: { s: 20 } },
  nodes: {
    1: { mode: DIR, kids: { s: 3 } },
    3: { mode: DIR, kids: { d: 5 } },
    5: { mode: DIR, kids: {} },
    20: { mode: DIR, kids: { d: 21 } },
    21: { mode: DIR, kids: {} },
  },
};

/** Directories with names long enough for the prefix cache; the first is another one once a file "again" has been made and the tree was told. */
export const NUMBERED_PATH = "/directory-one/directory-two";
const [ONE, TWO] = NUMBERED_PATH.slice(1).split("/") as [string, string];
export const NUMBERED: DriverContents = {
  byNumber: true,
  remade: { by: "again", entries: { [ONE]: 20 }, told: true },
  nodes: {
    1: { mode: DIR, kids: { [ONE]: 3 } },
    3: { mode: DIR, kids: { [TWO]: 5 } },
    5: { mode: DIR, kids: { g: 6 } },
    6: { mode: FILE },
    20: { mode: DIR, kids: { [TWO]: 21 } },
    21: { mode: DIR, kids: { g: 22 } },
    22: { mode: FILE },
  },
};

/** A driver as it is first. */
export function newDriverState({ nodes, byNumber = false, remade }: DriverContents = TWIG): DriverState {
  return { asked: 0, last: 100, nodes: structuredClone(nodes), exact: byNumber, remade };
}

const NAME = SCRATCH.DRIVER + 256;
const BODY = SCRATCH.DRIVER + DRIVER_BODY;
const isDir = ({ mode }: DriverNode): boolean => (mode & S_IFMT) === S_IFDIR;

const nodeOf = (t: DriverThread, ino: number): DriverNode => defined(t.driverState.nodes[ino], `node ${ino}`);
const kidsOf = (node: DriverNode): Record<string, number> => defined(node.kids, "entries of a file");

function view(t: ScratchThread): DataView {
  return new DataView(t.scratch.buffer, t.scratch.byteOffset, t.scratch.byteLength);
}

/** Leaves a node's attributes for the core. */
function attributes(t: DriverThread, ino: number): number {
  const v = view(t);
  const node = nodeOf(t, ino);
  v.setFloat64(SCRATCH.DRIVER, ino, true);
  v.setFloat64(SCRATCH.DRIVER + 8, 0, true);
  v.setFloat64(SCRATCH.DRIVER + 16, t.clock, true);
  v.setUint32(SCRATCH.DRIVER + 24, node.mode, true);
  v.setUint32(SCRATCH.DRIVER + 28, 0, true);
  v.setUint32(SCRATCH.DRIVER + 32, 0, true);
  v.setUint32(SCRATCH.DRIVER + 36, isDir(node) ? 2 : 1, true);
  return 0;
}

const nameOf = (t: ScratchThread, length: number): string =>
  String.fromCharCode(...t.scratch.slice(NAME, NAME + length));

function lookup(t: DriverThread, dir: number, length: number): number {
  const kids = kidsOf(nodeOf(t, dir));
  const name = nameOf(t, length);
  const ino = Object.hasOwn(kids, name) ? kids[name] : undefined;
  return ino === undefined ? -ERRNO.ENOENT : attributes(t, ino);
}

function create(t: DriverThread, dir: number, length: number, mode: number): number {
  const s = t.driverState;
  const type = mode & S_IFMT;
  if (type !== S_IFREG && type !== S_IFDIR) return -ERRNO.EPERM;
  const ino = ++s.last;
  s.nodes[ino] = type === S_IFDIR ? { mode, kids: {} } : { mode };
  const name = nameOf(t, length);
  const kids = kidsOf(nodeOf(t, dir));
  kids[name] = ino;
  if (s.remade?.by === name) Object.assign(kids, s.remade.entries);
  return attributes(t, ino);
}

function revalidate(t: DriverThread, dir: number, node: number, length: number): number {
  if (!t.driverState.exact) {
    t.driverState.asked += 1;
    return t.driverState.asked % 2;
  }
  const kids = kidsOf(nodeOf(t, dir));
  const name = nameOf(t, length);
  return (Object.hasOwn(kids, name) ? kids[name] : -1) === node ? 1 : 0;
}

function unlink(t: DriverThread, dir: number, length: number, ino: number): number {
  const node = nodeOf(t, ino);
  if (isDir(node) && Object.keys(kidsOf(node)).length > 0) return -ERRNO.ENOTEMPTY;
  delete kidsOf(nodeOf(t, dir))[nameOf(t, length)];
  return 0;
}

function readlink(t: DriverThread, ino: number): number {
  const body = defined(nodeOf(t, ino).body, `the text of link ${ino}`);
  for (let i = 0; i < body.length; i++) t.scratch[BODY + i] = body.charCodeAt(i);
  return body.length;
}

/** All entries at once; they are few. */
function readdir(t: DriverThread, dir: number, from: number): number {
  const v = view(t);
  const all = Object.entries(kidsOf(nodeOf(t, dir)));
  let at = SCRATCH.IO;
  for (const [n, [name, ino]] of all.entries())
    if (n >= from) at = writeDirent(v, at, { name, type: (nodeOf(t, ino).mode & S_IFMT) >> 12, ino, next: n + 1 });
  v.setFloat64(SCRATCH.DRIVER, all.length, true);
  return at - SCRATCH.IO;
}

/** The host's `driverCall` for a thread. @returns >= 0 or -errno */
export function driverCall(
  t: DriverThread,
  op: number,
  _driver: number,
  a: number,
  b: number,
  c: number,
  _d: number,
): number {
  switch (op) {
    case DRIVER_OP.ROOT:
      return attributes(t, 1);
    case DRIVER_OP.LOOKUP:
      return lookup(t, a, b);
    case DRIVER_OP.REVALIDATE:
      return revalidate(t, a, b, c);
    case DRIVER_OP.READLINK:
      return readlink(t, a);
    case DRIVER_OP.READDIR:
      return readdir(t, a, b);
    case DRIVER_OP.CREATE:
      return create(t, a, b, c);
    case DRIVER_OP.UNLINK:
      return unlink(t, a, b, c);
    default:
      return -ERRNO.ENOSYS;
  }
}
