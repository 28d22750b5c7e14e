/** Small trees (trees.ts) of mounts: with flags, shared, in two namespaces, and with a context that pivots. */
import { O_RDONLY } from "../../../threadfs/dist/abi/abi.js";
import { bind, file, mkdir, mount, open, propagate, symlink } from "./setup-calls.js";
import type { Tree } from "./trees.js";

export const MOUNT_TREES: Record<string, Tree> = {
  /** A file system with another on it, which is bound elsewhere too; a link and an open file in it. */
  flagged: {
    contexts: [],
    setup: [
      mkdir("/m"),
      mount("/m"),
      ...file("/m/f", "three"),
      symlink("f", "/m/l"),
      mkdir("/m/s"),
      mount("/m/s"),
      ...file("/m/s/g"),
      mkdir("/b"),
      bind("/m", "/b"),
      mkdir("/n"),
      open("/m/f", O_RDONLY),
    ],
  },
  /** A file system that is shared, with a peer, a slave that is shared too, and a slave of that; a mount in all of them. */
  shared: {
    contexts: [],
    setup: [
      ...["/m", "/p", "/s", "/t"].map((path) => mkdir(path)),
      mount("/m"),
      mkdir("/m/d"),
      mkdir("/m/e"),
      ...file("/m/f", "under"),
      propagate("/m", "shared"),
      bind("/m", "/p"),
      bind("/m", "/s"),
      propagate("/s", "slave"),
      propagate("/s", "shared"),
      bind("/s", "/t"),
      propagate("/t", "slave"),
      mount("/m/d"),
      ...file("/m/d/g", "in all"),
      mkdir("/u"),
      mount("/u"),
    ],
  },
  /**
   * Contexts 1 and 2 have a namespace of mounts of their own: in both namespaces "/m" is shared, with a mount on "/m/d", and "/p" is private; "/p/n" is a mount in theirs alone. Context 1
   * has its working directory in "/p".
   */
  namespaces: {
    contexts: [],
    setup: [
      ...["/m", "/p"].map((path) => mkdir(path)),
      mount("/m"),
      mkdir("/m/d"),
      mkdir("/m/e"),
      ...file("/m/f", "of both"),
      propagate("/m", "shared"),
      mount("/m/d"),
      ...file("/m/d/g", "in both"),
      mount("/p"),
      ...file("/p/f", "of each"),
      mkdir("/p/n"),
    ],
    late: [
      { uid: 0, gid: 0, mounts: "own" },
      { uid: 0, gid: 0, from: 1 },
    ],
    after: [
      { call: "sysMountNew", path: "/p/n", ctx: 1 },
      { call: "sysChdir", path: "/p", ctx: 1 },
    ],
  },
  /** A context whose root and working directory are a mount, with another mount in it. */
  pivots: {
    contexts: [{ uid: 0, gid: 0 }],
    setup: [
      mkdir("/m"),
      mkdir("/n"),
      mount("/m"),
      ...file("/m/f", "old"),
      mkdir("/m/d"),
      mount("/m/d"),
      mkdir("/m/d/p"),
      ...file("/m/d/g", "new"),
      { call: "sysChroot", path: "/m", ctx: 1 },
      { call: "sysChdir", path: "/", ctx: 1 },
    ],
  },
};
