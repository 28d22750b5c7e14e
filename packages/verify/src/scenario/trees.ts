/**
 * Small trees to explore, as data: the contexts that they have beside context 0 of the superuser, and the calls that make them. Each
 * has what a few operations need to conflict, and no more.
 */
import {
  F_RDLCK,
  F_WRLCK,
  FS_CACHE_LINKS,
  FS_GENERATION,
  LOCK_SH,
  O_CREAT,
  O_DIRECTORY,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  S_IFIFO,
  S_IFREG,
} from "../../../threadfs/dist/abi/abi.js";
import type { Call } from "../model/call.js";
import type { ContextOptions } from "../model/sequential.js";
import type { DriverContents } from "../model/state.js";
import {
  ALIAS_HOOKS,
  ALIASES,
  CACHED_HOOKS,
  DRIVER_HOOKS,
  EXACT_HOOKS,
  LINK_HOOKS,
  NUMBERED,
  NUMBERED_PATH,
  RCU_LINK_HOOKS,
  REMADE,
  TWIG_LINKS,
} from "./driver.js";
import { IDLE_TREE } from "./lists/idle.js";
import { MOUNT_TREES } from "./mount-trees.js";
import { PREFIX_TREES } from "./prefix-trees.js";
import {
  bind,
  chmod,
  chown,
  file,
  INLINE,
  LOCK_FILES,
  LONG,
  link,
  MIDDLE,
  mkdir,
  mount,
  ONLY_OTHER,
  OTHER,
  open,
  setacl,
  symlink,
  USER,
  WITHOUT_OTHER,
} from "./setup-calls.js";

/** The tree under which the table of names is split. */
const TABLE: Call[] = [mkdir("/d"), ...file("/d/f", "one"), mkdir("/d/e"), mkdir("/o"), ...file("/f", "two")];

const FIFOS = ["/p", "/q", "/n"].map((path): Call => ({ call: "sysMknod", path, mode: S_IFIFO | 0o644 }));

/** A tree as data. */
export interface Tree {
  /** Contexts beside context 0. */
  contexts: ContextOptions[];
  /** Further ones, which are made after the setup. */
  late?: ContextOptions[];
  /** Runs in order; every call must succeed. */
  setup: Call[];
  /** Paths that each thread has looked up so often, in the context of this number (default: 0), that they are in its prefix cache. */
  warm?: string[];
  warmBy?: number;
  /** The bucket of this name is the next one to be split. */
  splits?: string;
  /** One of two operations is of this kind, and both are of one context. */
  beside?: string;
  /** Operations of these kinds are not made together: one would wait for ever for what another keeps. */
  apart?: string[];
  /** The path where the driver is mounted, its hooks, and the flags of its file system. */
  driver?: string;
  hooks?: number;
  fsFlags?: number;
  /** What the driver shows, and paths in it that are looked up at first, in this order. */
  contents?: DriverContents;
  paths?: string[];
  /** The descriptor of a file that takes all memory, on the core alone. */
  fills?: number;
  /** The most unused dentries of drivers, where not as many as by default. */
  unused?: { positive: number; negative: number };
  /** A thread follows the log of changes, which fsck compares with the tree in the end. */
  followed?: boolean;
  /** Runs after the driver is mounted; every call must succeed. */
  after?: Call[];
}

/** So many names that chunks of entries and of inodes hold nothing else. */
const FULL_NAMES = Array.from({ length: 1100 }, (_, n) => `/d/n${n}`);

export const TREES: Record<string, Tree> = {
  /**
   * An ordinary user's context and one of the superuser, which other threads close: with descriptors of a file that is the user's and of
   * one that is not, and a working directory.
   */
  closing: {
    contexts: [USER, { uid: 0, gid: 0 }],
    setup: [
      ...file("/root", "root's"),
      mkdir("/d"),
      chown("/d", 1000),
      ...file("/d/mine", "mine"),
      chown("/d/mine", 1000),
      mkdir("/d/e"),
      chown("/d/e", 1000),
      symlink("mine", "/d/l", 1),
      mkdir("/n"),
      open("/root", O_RDONLY, 1),
      open("/d/mine", O_RDWR, 1),
      open("/d", O_DIRECTORY, 1),
      { call: "sysChdir", path: "/d", ctx: 1 },
      open("/d/mine", O_RDWR, 2),
    ],
    beside: "destroy",
  },
  /** Files, nested directories, links in the middle and at the end, a hard link, open descriptors. */
  small: {
    contexts: [],
    setup: [
      ...file("/f", "one"),
      mkdir("/d"),
      mkdir("/d/e"),
      mkdir("/o"),
      ...file("/d/f", "two"),
      ...file("/d/e/g"),
      link("/d/f", "/h"),
      symlink("d", "/l"),
      symlink("../f", "/d/up"),
      open("/d", O_DIRECTORY),
      open("/d/f", O_RDWR),
      // A reading of a directory that continues at an entry, on which it has a reference.
      open("/d", O_DIRECTORY),
      { call: "sysGetdents", fd: 5 },
    ],
  },
  /** The log of changes is followed: files, directories, a hard link, an open file. */
  followed: {
    contexts: [],
    setup: [
      mkdir("/d"),
      mkdir("/d/e"),
      mkdir("/o"),
      ...file("/d/f", "two"),
      ...file("/d/g"),
      link("/d/f", "/h"),
      open("/d/f", O_RDWR),
    ],
    followed: true,
  },
  /** Advisory locks: a shared flock and a read lock of context 0 on a file, a write lock of another context. */
  locks: {
    contexts: [{ uid: 0, gid: 0 }],
    setup: [
      ...LOCK_FILES,
      { call: "sysFlock", fd: 3, op: LOCK_SH },
      { call: "setLock", fd: 3, type: F_RDLCK, start: 0, len: 100 },
      { call: "setLock", fd: 3, type: F_WRLCK, start: 200, len: 100, ctx: 1 },
    ],
  },
  /** The same files, without locks. */
  lockWaits: { contexts: [{ uid: 0, gid: 0 }], setup: LOCK_FILES },
  /** FIFOs whose calls never wait: one with bytes, with an end each; one that is full; one that is not open. */
  pipes: {
    contexts: [],
    setup: [
      ...FIFOS,
      open("/p", O_RDONLY | O_NONBLOCK),
      open("/p", O_WRONLY | O_NONBLOCK),
      open("/q", O_RDWR | O_NONBLOCK),
      { call: "sysPipeSize", fd: 5, size: 4096 },
      { call: "sysWrite", fd: 4, data: "abc" },
      { call: "sysWrite", fd: 5, data: "q".repeat(4096) },
    ],
  },
  /** FIFOs whose calls wait: one with a byte, one with room for a page, one that is not open. */
  pipeWaits: {
    // A reader of a pipe waits for the end of the file until all writers are closed.
    apart: ["eof", "open"],
    contexts: [],
    setup: [
      ...FIFOS,
      open("/p", O_RDWR),
      open("/q", O_RDWR),
      { call: "sysPipeSize", fd: 4, size: 4096 },
      { call: "sysWrite", fd: 3, data: "t" },
    ],
  },
  /** A file system on a directory that is not empty, a bind mount, a mount on a mount's directory. */
  mounts: {
    contexts: [],
    setup: [
      mkdir("/d"),
      mkdir("/d/e"),
      ...file("/d/f", "two"),
      mkdir("/m"),
      ...file("/m/below"),
      mkdir("/b"),
      mkdir("/n"),
      mount("/m"),
      ...file("/m/f", "three"),
      mkdir("/m/s"),
      bind("/d/e", "/b"),
      ...file("/b/g"),
    ],
  },
  ...MOUNT_TREES,
  ...PREFIX_TREES,
  /** The next two entries that are made split the bucket of an existing name, and that of a missing one. */
  split: { contexts: [], setup: TABLE, splits: "/d/f" },
  splitEmpty: { contexts: [], setup: TABLE, splits: "/d/x" },
  /** Short and long names, which lie in different places. */
  names: {
    contexts: [],
    setup: [
      mkdir("/d"),
      ...file("/d/n", "short"),
      ...file(`/d/${LONG}`, "long"),
      mkdir(`/d/${MIDDLE}`),
      ...file(`/d/${MIDDLE}/f`),
      ...file(`/d/${INLINE}`, "inline"),
      mkdir("/o"),
    ],
  },
  /** A sticky directory, a user's own, one with an ACL, an empty one of the superuser's; two ordinary users, one in the other's group. */
  users: {
    contexts: [USER, OTHER],
    setup: [
      mkdir("/t"),
      chmod("/t", 0o1777),
      ...file("/t/root"),
      ...file("/t/mine", "mine"),
      chown("/t/mine", 1000),
      mkdir("/p"),
      mkdir("/p/q"),
      ...file("/p/q/f", "deep"),
      ...file("/p/f", "private"),
      chown("/p", 1000),
      chown("/p/q", 1000),
      chown("/p/f", 1000),
      chmod("/p/f", 0o640),
      setacl("/p/q", WITHOUT_OTHER),
      mkdir("/closed", 0o700),
    ],
  },
  /** Directories that user 2000 may search, and no other user but the owner, and a file that it may execute: by an ACL, and one by its group. */
  acls: {
    contexts: [OTHER],
    setup: [
      mkdir("/d"),
      mkdir("/d/e"),
      ...file("/d/e/f", "one"),
      setacl("/d", ONLY_OTHER),
      setacl("/d/e", ONLY_OTHER),
      setacl("/d/e/f", ONLY_OTHER),
      mkdir("/o", 0o700),
      chown("/o", 1000, 1000),
      chmod("/o", 0o710),
      ...file("/o/f", "two"),
    ],
  },
  /** A directory with a default ACL, and a directory and a file that have inherited it. */
  defaults: {
    contexts: [OTHER],
    setup: [
      mkdir("/d", 0o777),
      { ...setacl("/d", WITHOUT_OTHER), isDefault: true },
      mkdir("/d/e", 0o777),
      ...file("/d/f", "one"),
      ...file("/f", "two"),
    ],
  },
  /** A context that is in a directory, and one with a root of its own. */
  places: {
    contexts: [
      { uid: 0, gid: 0 },
      { uid: 0, gid: 0 },
    ],
    setup: [
      mkdir("/d"),
      mkdir("/d/e"),
      mkdir("/d/e/w"),
      ...file("/d/f", "two"),
      mkdir("/o"),
      { call: "sysChdir", path: "/d/e", ctx: 1 },
      { call: "sysChroot", path: "/d", ctx: 2 },
      { call: "sysChdir", path: "/e", ctx: 2 },
      { ...open("/d/e", O_DIRECTORY), ctx: 1 },
    ],
  },
  /**
   * A context that stays in its root, and one that may not leave it; their working directory is two levels below it; a mount in the root. Descriptor 3 of
   * context 0 is of the root.
   */
  confined: {
    contexts: [
      { uid: 0, gid: 0, resolve: RESOLVE_IN_ROOT },
      { uid: 0, gid: 0, resolve: RESOLVE_BENEATH },
    ],
    setup: [
      mkdir("/o"),
      ...file("/o/f", "outside"),
      mkdir("/s"),
      ...file("/s/f", "inside"),
      mkdir("/s/m"),
      mount("/s/m"),
      mkdir("/s/b"),
      ...file("/s/b/f", "two"),
      mkdir("/s/b/in"),
      symlink("../../f", "/s/b/in/up"),
      { call: "sysChroot", path: "/s", ctx: 1 },
      { call: "sysChdir", path: "/b/in", ctx: 1 },
      { call: "sysChroot", path: "/s", ctx: 2 },
      { call: "sysChdir", path: "/b/in", ctx: 2 },
      open("/s", O_DIRECTORY),
    ],
  },
  /** Contents at the edge of their shape: a tree of pages whose node is nearly full, a block that is. Both open. */
  pages: {
    contexts: [],
    setup: [
      ...file("/f", "a".repeat(15 * 4096)),
      ...file("/g", "b".repeat(4000)),
      open("/f", O_RDWR),
      open("/g", O_RDWR),
    ],
  },
  /** A file system with a page and an inode left. Open: a file of two names, and another. */
  limited: {
    contexts: [],
    setup: [
      mkdir("/m"),
      { ...mount("/m"), size: 3 * 4096, inodes: 5 },
      ...file("/m/a", "one"),
      ...file("/m/b", "two"),
      link("/m/a", "/m/h"),
      open("/m/a", O_RDWR),
      open("/m/b", O_RDWR),
    ],
  },
  /** No memory is left: contents have all but that of names, and the names are gone. Descriptor 3 holds the contents. */
  full: {
    contexts: [],
    setup: [
      mkdir("/d"),
      ...FULL_NAMES.map((path): Call => ({ call: "sysMknod", path, mode: S_IFREG | 0o644 })),
      open("/contents", O_CREAT | O_RDWR),
      open("/f", O_CREAT | O_RDWR),
    ],
    fills: 3,
    after: [...FULL_NAMES, "/contents"].map((path): Call => ({ call: "sysUnlink", path })),
  },
  /** A driver's file system, whose names are revalidated at each lookup. */
  driver: { contexts: [], setup: [mkdir("/m"), ...file("/f")], driver: "/m", hooks: DRIVER_HOOKS },
  /** The same, with a generation number: names are revalidated once after each sysInvalidate(). */
  generation: {
    contexts: [USER],
    setup: [mkdir("/m"), ...file("/f")],
    driver: "/m",
    hooks: DRIVER_HOOKS,
    fsFlags: FS_GENERATION,
  },
  /** Directories under a generation number, which each thread has in its prefix cache when it begins. */
  numbered: {
    contexts: [],
    setup: [mkdir("/m")],
    driver: "/m",
    hooks: EXACT_HOOKS,
    fsFlags: FS_GENERATION,
    contents: NUMBERED,
    paths: ["", "/directory-one", NUMBERED_PATH, `${NUMBERED_PATH}/g`],
    warm: [`/m${NUMBERED_PATH}/g`],
  },
  /** A driver's file system without revalidation: an entry is valid as long as it is in the cache. */
  cached: { contexts: [], setup: [mkdir("/m"), ...file("/f")], driver: "/m", hooks: CACHED_HOOKS },
  /** The same, and no entry is in the cache. */
  cold: {
    contexts: [],
    setup: [mkdir("/m"), ...file("/f")],
    driver: "/m",
    hooks: CACHED_HOOKS,
    after: [{ call: "shrink", count: 100 }],
  },
  /** A driver's links whose texts are kept once they were asked for. */
  kept: {
    contexts: [],
    setup: [mkdir("/m"), ...file("/f")],
    driver: "/m",
    hooks: LINK_HOOKS,
    fsFlags: FS_CACHE_LINKS,
    contents: TWIG_LINKS,
  },
  /** The same, and the driver is asked each time, in rcu mode. */
  told: {
    contexts: [],
    setup: [mkdir("/m"), ...file("/f")],
    driver: "/m",
    hooks: RCU_LINK_HOOKS,
    contents: TWIG_LINKS,
  },
  /** Names of a driver that have not been used lately, with the limits of unused names reached. */
  idle: IDLE_TREE,
  /** Directories that a driver shows under several names, also below each other; one thread's context is in one of them. */
  aliases: {
    contexts: [{ uid: 0, gid: 0 }],
    setup: [mkdir("/m")],
    driver: "/m",
    hooks: ALIAS_HOOKS,
    contents: ALIASES,
    paths: ["", "/a", "/b", "/p", "/q", "/p/x", "/p/x/g", "/q/y"],
    after: [{ call: "sysChdir", path: "/m/p/x", ctx: 1 }],
  },
  /** Directories of a driver that were removed and made again, with a file system on one; a context is in that. */
  remade: {
    contexts: [{ uid: 0, gid: 0 }],
    setup: [mkdir("/m"), mkdir("/b")],
    driver: "/m",
    hooks: EXACT_HOOKS,
    contents: REMADE,
    paths: ["", "/s", "/s/d"],
    after: [
      mount("/m/s/d"),
      mkdir("/m/s/d/in"),
      mount("/m/s/d/in"),
      { call: "sysChdir", path: "/m/s/d/in", ctx: 1 },
      bind("/m/s", "/b"),
      { call: "sysMknod", path: "/m/again", mode: S_IFREG | 0o644 },
    ],
  },
};
