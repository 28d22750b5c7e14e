/** Small trees (trees.ts) with paths that are long enough for the prefix cache, and that each thread has in it when it begins. */
import {
  accessed,
  chmod,
  chown,
  FIRST,
  file,
  JUMP,
  MOUNTED,
  mkdir,
  mount,
  ONLY_OTHER,
  OTHER,
  OTHERWISE,
  ROOTED,
  SECOND,
  setacl,
  symlink,
  THIRD,
  UPWARD,
  USER,
} from "./setup-calls.js";
import type { Tree } from "./trees.js";

export const PREFIX_TREES: Record<string, Tree> = {
  /**
   * Paths long enough for the prefix cache, also behind a mount, and directories of the same names elsewhere.
   * Each thread knows those of `warm` when it begins: it has looked them up until they were in its prefix cache.
   */
  prefixes: {
    contexts: [USER],
    setup: [
      ...[FIRST, SECOND, THIRD].map((path) => mkdir(path)),
      ...file(`${THIRD}/file-one`, "one"),
      ...["/o", "/o/bbbbbbbb", "/o/bbbbbbbb/cccccccc"].map((path) => mkdir(path)),
      ...file("/o/bbbbbbbb/cccccccc/file-one", "two"),
      mkdir("/m"),
      mount("/m"),
      ...[FIRST, SECOND, THIRD].map((path) => mkdir(`/m${path}`)),
      ...file(`/m${THIRD}/file-one`, "three"),
    ],
    warm: [`${THIRD}/file-one`, `/m${THIRD}/file-one`],
  },
  /**
   * Links as in a tree of pnpm, which need no update of their times of access, directories of the same names elsewhere, and a mount. Each
   * thread has the paths over them in its prefix cache when it begins.
   */
  linked: {
    contexts: [USER],
    setup: [
      ...["/s", "/s/a", "/o", "/o/a", "/packages"].map((path) => mkdir(path)),
      ...file("/s/a/f", "one"),
      ...file("/o/a/f", "two"),
      symlink("../s/a", UPWARD),
      symlink(UPWARD, ROOTED),
      symlink("../o/a", OTHERWISE),
      ...[UPWARD, ROOTED, OTHERWISE].map((path) => accessed(path, 4_000_000_000)),
      mkdir("/m"),
      mount("/m"),
      mkdir(MOUNTED),
      ...file(`${MOUNTED}/f`, "three"),
    ],
    warm: [`${UPWARD}/f`, `${ROOTED}/f`, `${MOUNTED}/f`],
  },
  /** Directories long enough for the prefix cache that not every user may search: by an ACL, and by owner and group. User 2000's entry is warm. */
  private: {
    contexts: [OTHER, USER],
    setup: [
      ...[FIRST, SECOND, THIRD].map((path) => mkdir(path)),
      ...file(`${THIRD}/file-one`, "one"),
      ...["/o", "/o/cccccccc"].map((path) => mkdir(path)),
      ...file("/o/cccccccc/file-one", "two"),
      setacl(SECOND, ONLY_OTHER),
      chown(THIRD, 1000),
      chmod(THIRD, 0o710),
    ],
    warm: [`${THIRD}/file-one`],
    warmBy: 1,
  },
  /**
   * A link to the root, from one start with two roots: context 1 has the one below which the link leads to a directory, and its entry is warm.
   * Context 2 may get that root.
   */
  roots: {
    contexts: [
      { uid: 0, gid: 0 },
      { uid: 0, gid: 0 },
    ],
    setup: [
      ...["/j", "/j/s", "/j/t", "/j/t/e"].map((path) => mkdir(path)),
      ...file("/j/t/e/file-of-the-target", "one"),
      symlink("/t/e", `/j/s/${JUMP}`),
      accessed(`/j/s/${JUMP}`, 4_000_000_000),
      { call: "sysChroot", path: "/j", ctx: 1 },
      { call: "sysChdir", path: "/s", ctx: 1 },
      { call: "sysChdir", path: "/j/s", ctx: 2 },
    ],
    warm: [`${JUMP}/file-of-the-target`],
    warmBy: 1,
  },
};
