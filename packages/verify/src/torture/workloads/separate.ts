/** A workload of the torture on namespaces of mounts: contexts with mounts of their own, which come and go while all use them. */
import { CLONE_NEWNS, ERRNO, O_CREAT, O_RDWR } from "../../../../threadfs/dist/abi/abi.js";
import { elementAt } from "../../support/defined.js";
import { putStamped } from "../file-stamp.js";
import { makePath, type Path } from "../shared-state.js";
import type { Thread } from "../thread.js";
import { listOf, type TakeWords, type Workload } from "./workload.js";

const FIRST_UID = 9800;
/** Of each item: the file below a private mount point, the one below a shared mount's, the mark, and a file that is mounted. */
const UIDS = 4;

interface SeparateItem {
  /** A mount point in a private mount: what a context mounts there, no other namespace sees. */
  readonly own: Path;
  readonly inOwn: Path;
  /** A shared mount, and a mount point in it: what is mounted there is in all namespaces. */
  readonly group: string;
  readonly peer: Path;
  readonly inPeer: Path;
  /** A mount point that the tree removes, by itself or by a rename, while the context has a mount on it: two names, and the file in the mount. */
  readonly gone: Path;
  readonly inGone: Path;
  readonly other: Path;
  readonly inOther: Path;
  readonly mark: Path;
  /** Whether this thread is the item's writer, and what is mounted in the present context, which only the writer knows. */
  isMine: boolean;
  hasOwn: boolean;
  hasPeer: boolean;
}

function separateItem(i: number): SeparateItem {
  const top = `/t/ns/${i}`;
  return {
    own: makePath(`${top}/own`),
    inOwn: makePath(`${top}/own/in`),
    group: `${top}/group`,
    peer: makePath(`${top}/group/peer`),
    inPeer: makePath(`${top}/group/peer/in`),
    gone: makePath(`${top}/gone`),
    inGone: makePath(`${top}/gone/in`),
    other: makePath(`${top}/other`),
    inOther: makePath(`${top}/other/in`),
    mark: makePath(`${top}/mark`),
    isMine: false,
    hasOwn: false,
    hasPeer: false,
  };
}

/**
 * Contexts that one thread makes, each with a copy of all mounts of the tree, and closes while all look around in them and in the tree. What
 * is mounted in a private mount of the copy is never seen in the tree; what is mounted in a shared one is.
 */
export class Separate implements Workload {
  readonly items = 3;
  readonly #items = listOf(this.items, separateItem);
  /** The number of each item's context, 0: there is none. */
  readonly #numbers: BigInt64Array;
  readonly #base: number;

  constructor({ words }: Thread, take: TakeWords) {
    this.#numbers = new BigInt64Array(words.buffer, words.byteOffset, words.length >>> 1);
    const first = take(this.items * 2 + 1);
    this.#base = (first + (first % 2)) / 2;
  }

  #uid(i: number): number {
    return FIRST_UID + i * UIDS;
  }

  #context(i: number): number {
    return Number(Atomics.load(this.#numbers, this.#base + i));
  }

  #setContext(i: number, number: number): void {
    Atomics.store(this.#numbers, this.#base + i, BigInt(number));
  }

  build(t: Thread): void {
    for (const [i, { own, inOwn, group, peer, inPeer, mark }] of this.#items.entries()) {
      t.fs.mkdirSync(own.text, { recursive: true });
      putStamped(t, inOwn, this.#uid(i), 1);
      putStamped(t, mark, this.#uid(i) + 2, 1);
      t.fs.mkdirSync(peer.text, { recursive: true });
      putStamped(t, inPeer, this.#uid(i) + 1, 1);
      t.vfs.mount(group, group, "bind");
      t.vfs.mount(null, group, "none", { propagation: "shared" });
    }
  }

  write(t: Thread, i: number): void {
    const item = elementAt(this.#items, i);
    const ctx = this.#context(i);
    item.isMine = true;
    if (ctx === 0) this.#setContext(i, t.must(t.contextCreate(0, CLONE_NEWNS), "contextCreate"));
    else if (t.next(6) === 0) this.#close(t, i, ctx);
    else if (t.next(3) === 0) this.#remove(t, i, ctx);
    else if (t.next(2) === 0) item.hasOwn = this.#turn(t, i, ctx, item.own, item.inOwn, item.hasOwn);
    else item.hasPeer = this.#turn(t, i, ctx, item.peer, item.inPeer, item.hasPeer);
  }

  /** Mounts a file system with a file in it, or unmounts it. Returns whether it is there now. */
  #turn(t: Thread, i: number, ctx: number, at: Path, inside: Path, is: boolean): boolean {
    if (is) return t.must(t.umount(at, t.next(2) === 0, ctx), "umount", ERRNO.EBUSY) !== 0;
    t.must(t.mount(at, 0, ctx), "mount");
    t.must(t.close(t.must(t.open(inside, O_CREAT | O_RDWR, 0o644, ctx), "open"), ctx), "close");
    t.must(t.chown(inside, this.#uid(i) + 3, 1, ctx), "chown");
    return true;
  }

  /** The tree removes, moves or replaces a directory on which the context has a mount: that goes with it, or moves. */
  #remove(t: Thread, i: number, ctx: number): void {
    const { gone, inGone, other, inOther } = elementAt(this.#items, i);
    t.must(t.mkdir(gone), "mkdir");
    this.#turn(t, i, ctx, gone, inGone, false);
    t.must(t.mount(gone, 0, ctx), "mount");
    t.must(t.umount(gone, true, ctx), "umount");
    const moves = t.next(2) === 0;
    if (moves) t.must(t.rename(gone, other), "rename");
    const inside = moves ? inOther : inGone;
    if (t.stat(inside, 0, ctx) !== 0) t.fail(`${inside.text} is in a mount that has moved, and was not found`);
    if (t.next(2) === 0) t.must(t.rmdir(moves ? other : gone), "rmdir");
    else {
      const empty = moves ? gone : other;
      t.must(t.mkdir(empty), "mkdir");
      t.must(t.rename(empty, moves ? other : gone), "rename");
      if (t.stat(inside, 0, ctx) !== -ERRNO.ENOENT) t.fail(`${inside.text} is in a mount whose name was replaced`);
      t.must(t.rmdir(moves ? other : gone), "rmdir");
    }
    if (t.stat(inside, 0, ctx) !== -ERRNO.ENOENT) t.fail(`${inside.text} is in a mount whose name was removed`);
  }

  /** Closes the context, and with it its namespace: what it has mounted for all goes before, the rest with it. */
  #close(t: Thread, i: number, ctx: number): void {
    const item = elementAt(this.#items, i);
    if (item.hasPeer) t.must(t.umount(item.peer, true, ctx), "umount");
    item.hasPeer = false;
    item.hasOwn = false;
    this.#setContext(i, 0);
    t.must(t.contextDestroy(ctx), "contextDestroy");
  }

  read(t: Thread, i: number): void {
    const { inOwn, inPeer, inGone, inOther, mark } = elementAt(this.#items, i);
    const uid = this.#uid(i);
    for (const path of [inGone, inOther])
      if (t.stat(path) !== -ERRNO.ENOENT) t.fail(`${path.text} is in a mount of another namespace`);
    if (t.stat(inOwn) !== 0) t.fail(`${inOwn.text} is always there and was not found`);
    if (t.uid !== uid) t.fail(`${inOwn.text} is file ${t.uid}: a mount of another namespace`);
    // A fresh file system is empty for a moment, and its file is then of uid 0.
    if (t.must(t.stat(inPeer), "stat", ERRNO.ENOENT) === 0 && ![uid + 1, uid + 3, 0].includes(t.uid)) {
      t.fail(`${inPeer.text} is file ${t.uid}`);
    }
    const ctx = this.#context(i);
    if (ctx === 0) return;
    // The context may be closed at any time.
    if (t.must(t.stat(mark, 0, ctx), "stat", ERRNO.EBADF) === 0 && t.uid !== uid + 2)
      t.fail(`${mark.text} is file ${t.uid}`);
    for (const path of [inGone, inOther])
      if (t.must(t.stat(path, 0, ctx), "stat", ERRNO.EBADF, ERRNO.ENOENT) === 0 && ![uid + 3, 0].includes(t.uid))
        t.fail(`${path.text} is file ${t.uid}`);
    if (t.must(t.stat(inOwn, 0, ctx), "stat", ERRNO.EBADF, ERRNO.ENOENT) < 0) return;
    if (![uid, uid + 3, 0].includes(t.uid)) t.fail(`${inOwn.text} in a namespace is file ${t.uid}`);
  }

  end(t: Thread): void {
    for (const [i, { isMine }] of this.#items.entries()) {
      const ctx = this.#context(i);
      if (isMine && ctx !== 0) this.#close(t, i, ctx);
    }
  }

  last(t: Thread): void {
    for (const { group } of this.#items) t.vfs.umount(group, { detach: true });
  }
}
