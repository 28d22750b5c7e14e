/** For the tests of the memo of directories walked: attachments with and without it, and a look at its entries. */
import assert from "node:assert/strict";
import { AT_FDCWD, POINT, STAT } from "../../dist/abi/abi.js";
import { Context } from "../../dist/src/api/context.js";
import { Attachment } from "../../dist/src/bridge/attachment.js";
import { treeFor } from "./tree.js";

/** Bits of walkMode(). */
export const NO_MEMO = 2;
export const MEMO = 4;

/** As core/mem/layout.ts and core/vfs/walk/prefix-cache.ts have them. */
export const G_SEQ_WRAPS = 4108;
const SLOTS = 65536;
const SLOT_SIZE = 2048;
const SLOT_PREFIX_CACHE = 100;
const ENTRY = 192;
const ENTRIES = 226 * 3;
export const ENTRY_LEN = 12;
export const ENTRY_DIRECTORY = 24;
export const ENTRY_WORDS = 96;

/** A directory whose path is long enough to be remembered, those on the way to it, and a file in it. */
export const DIRECTORY = "/first-level/second-level/third-level";
export const LEVELS = ["/first-level", "/first-level/second-level", DIRECTORY];
export const FILE = `${DIRECTORY}/file`;

/** An attachment that walks in one mode: answers are inode numbers or -errno; `steps` counts the components it walked. */
export function asker(t, handle, mode = MEMO, host = {}) {
  let seen = [];
  const actions = new Map();
  const point = (id, a, b) => {
    seen.push(id);
    const waiting = actions.get(id);
    if (waiting === undefined || --waiting.left > 0) return;
    actions.delete(id);
    waiting.action(a, b);
  };
  const arena = Attachment.attach(handle, { ...host, point });
  t.after(() => arena.close());
  arena.core.walkMode(mode);
  const context = new Context(arena, handle.ctx, false);
  const put = (path) => {
    const length = arena.writeString(path, arena.path);
    arena.path[length] = 0;
    return length;
  };
  const who = {
    arena,
    core: arena.core,
    fs: context.fs,
    context,
    /** The action runs once, the `nth` time that a walk passes the point. */
    at: (id, action, nth = 1) => actions.set(id, { action, left: nth }),
    waits: (id) => actions.has(id),
    ask(path, dirfd = AT_FDCWD) {
      seen = [];
      const answer = arena.core.sysStat(handle.ctx, dirfd, put(path), 0);
      return answer < 0 ? answer : arena.stat[STAT.ino];
    },
    access(path, mask) {
      return arena.core.sysAccess(handle.ctx, AT_FDCWD, put(path), mask, 0);
    },
    /** Components that the last ask() walked, points it passed. */
    get steps() {
      return seen.filter((id) => id === POINT.COMPONENT).length;
    },
    get points() {
      return seen;
    },
    /** Asks until the memo answers; fails when it never does. */
    learn(path, dirfd = AT_FDCWD) {
      for (let i = 0; i < 4; i++) who.ask(path, dirfd);
      assert.equal(who.steps, 1, `only the last component of ${path} is walked`);
      return who;
    },
    /** Whether one more ask() would be answered by way of the memo. */
    knows(path, dirfd = AT_FDCWD) {
      who.ask(path, dirfd);
      return who.steps === 1;
    },
    /** Addresses of the memo's entries that hold a path of `length` bytes. */
    entries(length) {
      const view = new DataView(handle.memory.buffer);
      const base = view.getUint32(SLOTS + arena.core.threadSlot() * SLOT_SIZE + SLOT_PREFIX_CACHE, true);
      if (base === 0) return undefined;
      const all = Array.from({ length: ENTRIES }, (_, i) => base + i * ENTRY);
      return all.filter((entry) => view.getUint32(entry + ENTRY_LEN, true) === length);
    },
  };
  return who;
}

/** A tree with FILE and, at /other, directories of the same names with another file of that name. */
export async function setUp(t, options) {
  const tree = await treeFor(t, options);
  const { fs } = tree.vfs;
  fs.mkdirSync(DIRECTORY, { recursive: true });
  fs.writeFileSync(FILE, "one");
  fs.mkdirSync(`/other${DIRECTORY}`, { recursive: true });
  fs.writeFileSync(`/other${FILE}`, "two");
  return { tree, vfs: tree.vfs, fs, who: asker(t, tree.vfs.handle), plain: asker(t, tree.vfs.handle, NO_MEMO) };
}
