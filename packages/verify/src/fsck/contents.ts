/** Contents of files, bodies of links: every block, node and page has one owner, pages are counted, bytes behind the end are zero. */
import * as L from "../arena/layout.js";
import { type ArenaView, hex } from "./arena-view.js";
import { checkPipe } from "./pipes/pipes.js";

const { INODE: I } = L;

export function checkContents(v: ArenaView, i: number) {
  const type = v.u32(i + I.mode) & L.S_IFMT;
  if (type === L.S_IFREG) checkFile(v, i);
  else if (type === L.S_IFLNK) checkLink(v, i);
  else {
    empty(v, i, type === L.S_IFIFO);
    if (type === L.S_IFIFO) checkPipe(v, i);
  }
  if (type !== L.S_IFREG && v.u32(i + I.mode) & L.I_SPARSE)
    v.problem("inode-data", `${v.inode(i)} is no file and sparse`);
}

/** What has no contents. @param hasPipe it may have a pipe in their place */
function empty(v: ArenaView, i: number, hasPipe: boolean) {
  const isDir = (v.u32(i + I.mode) & L.S_IFMT) === L.S_IFDIR;
  // A directory has the pointer to its extended attributes in the place of the shape, and that to its default ACL in the place of the contents.
  const shape = isDir && v.u32(i + I.mode) & L.I_XATTR ? {} : { room: I.shape };
  const data = isDir || hasPipe ? {} : { data: I.data };
  for (const [field, at] of Object.entries({ pages: I.pages, ...shape, ...data })) {
    v.equal(v.u32(i + at), 0, "inode-data", () => `${field} of ${v.inode(i)}`);
  }
  if ((v.u32(i + I.mode) & L.S_IFMT) !== L.S_IFDIR)
    v.equal(v.i64(i + I.size), 0, "inode-data", () => `the size of ${v.inode(i)}`);
}

function checkLink(v: ArenaView, i: number) {
  const size = v.i64(i + I.size);
  if (!checkBody(v, i, size)) return;
  v.equal(v.u32(i + I.shape), 0, "inode-data", () => `room of ${v.inode(i)}`);
  v.equal(v.u32(i + I.pages), size < L.LONG_LINK ? 0 : 1, "inode-data", () => `the pages of the link ${v.inode(i)}`);
}

/** A driver's link has a body where it was asked for one that never changes; the room has its bytes. */
export function checkDriverLink(v: ArenaView, i: number) {
  const size = v.u32(i + I.shape);
  if (v.u32(i + I.data) === 0) v.equal(size, 0, "link-body", () => `the bytes of no body of ${v.inode(i)}`);
  else if ((v.u32(v.u32(i + I.sb) + L.SUPER.fsFlags) & L.FS_CACHE_LINKS) === 0)
    v.problem("link-body", `the driver of ${v.inode(i)} keeps no bodies`);
  else checkBody(v, i, size);
}

/** @returns false: it is not where it should be */
function checkBody(v: ArenaView, i: number, size: number): boolean {
  const data = v.u32(i + I.data);
  if (size < 1 || size > 4095) {
    v.problem("link-body", `the body of ${v.inode(i)} has ${size} bytes`);
    return false;
  }
  if (!v.own(data, Math.min(size + 9, 4096), () => `the body of ${v.inode(i)}`)) return false;
  if (v.bytes[data + size] !== 0) v.problem("link-body", `the body of ${v.inode(i)} does not end`);
  if (v.bytes.subarray(data, data + size).includes(0)) v.problem("link-body", `the body of ${v.inode(i)} has a NUL`);
  return true;
}

function checkFile(v: ArenaView, i: number) {
  const seq = v.u32(i + L.CONTENTS_SEQ);
  v.expect(seq % 2 === 0, "sequence", () => `the contents sequence of ${v.inode(i)} is odd: ${seq}`);
  const size = v.i64(i + I.size);
  const room = v.u32(i + I.shape);
  const data = v.u32(i + I.data);
  if (size < 0 || size > L.MAX_FILE_SIZE) {
    v.problem("file-size", `the size of ${v.inode(i)} is ${size}`);
    return;
  }
  let pages = 0;
  if (room === 0) v.equal(data, 0, "inode-data", () => `the contents of the empty ${v.inode(i)}`);
  else if (room < L.RADIX) pages = checkBlock(v, i, data, room, size);
  else if (isShape(L.shapeOf(room))) {
    const { levels, bits } = L.shapeOf(room);
    pages = checkNode(v, i, data, levels, 2 ** bits, 0, size);
  } else v.problem("inode-data", `the shape of the contents of ${v.inode(i)} is ${hex(room)}`);
  v.equal(v.u32(i + I.pages), pages, "pages", () => `the number of pages of ${v.inode(i)}`);
  const full = Math.ceil(size / L.PAGE) === v.u32(i + I.pages);
  v.equal(
    (v.u32(i + I.mode) & L.I_SPARSE) !== 0,
    !full,
    "sparse",
    () => `whether ${v.inode(i)} of ${size} bytes is sparse`,
  );
}

function checkBlock(v: ArenaView, i: number, data: number, room: number, size: number) {
  if (!L.SIZES.includes(room)) {
    v.problem("inode-data", `the block of ${v.inode(i)} has ${room} bytes`);
    return 0;
  }
  if (v.own(data, room, () => `the contents of ${v.inode(i)}`)) zeroBehind(v, i, data, size, room);
  return 1;
}

/** Whether there is such a tree: only a single node may have less than the most pointers. */
function isShape({ levels, bits }: { levels: number; bits: number }): boolean {
  return (
    levels >= 1 && levels <= L.MAX_LEVELS && bits <= L.NODE_BITS && bits >= (levels > 1 ? L.NODE_BITS : L.TOP_BITS_MIN)
  );
}

/**
 * Checks a node of `count` pointers of the tree of pages, whose first page is number `base`; at level 0 that page.
 * @returns how many pages there are
 */
function checkNode(
  v: ArenaView,
  i: number,
  at: number,
  level: number,
  count: number,
  base: number,
  size: number,
): number {
  const bytes = level === 0 ? L.PAGE : count * 4;
  if (!v.own(at, bytes, () => `${level === 0 ? `page ${base}` : `a node of level ${level}`} of ${v.inode(i)}`))
    return 0;
  if (level === 0) {
    if (base * L.PAGE >= size) v.problem("behind-end", `${v.inode(i)} of ${size} bytes has page ${base}`);
    zeroBehind(v, i, at, size - base * L.PAGE, L.PAGE);
    return 1;
  }
  const span = 2 ** (L.NODE_BITS * (level - 1));
  let pages = 0;
  for (let k = 0; k < count; k++) {
    const child = v.u32(at + k * 4);
    if (child !== 0) pages += checkNode(v, i, child, level - 1, 2 ** L.NODE_BITS, base + span * k, size);
  }
  return pages;
}

function zeroBehind(v: ArenaView, i: number, at: number, from: number, to: number) {
  for (let k = Math.max(from, 0); k < to; k++) {
    if (v.bytes[at + k] === 0) continue;
    v.problem("behind-end", `the byte at ${hex(at + k)}, behind the end of ${v.inode(i)}, is ${v.bytes[at + k]}`);
    return;
  }
}
