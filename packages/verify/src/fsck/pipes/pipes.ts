/** Pipes: their ends are the open files, the ring is in range, and each page has one owner. */
import * as L from "../../arena/layout.js";
import { type ArenaView, hex } from "../arena-view.js";

const { INODE: I, FILE: F } = L;
const { Pipe } = L.CLASSES;
/** Bit of a descriptor whose open waits, beside the address of its file. */
const OPENING = L.FD_OPENING;

/** The open files that are ends of the pipe of an inode. */
function endsOf(v: ArenaView, i: number): number[] {
  return v.live(L.CACHE_FILE).filter((f) => v.u32(f + F.inode) === i && v.u32(f + F.mode) & L.FMODE_PIPE);
}

/** The pipe of a FIFO, which it has while a file is open. */
export function checkPipe(v: ArenaView, i: number): void {
  const p = v.u32(i + I.data);
  const ends = endsOf(v, i);
  const what = () => `the pipe of ${v.inode(i)}`;
  if (p === 0) {
    v.expect(ends.length === 0, "pipe", () => `${v.inode(i)} has ${ends.length} open files and no pipe`);
    return;
  }
  if (!v.own(p, L.PIPE_SIZE, what)) return;
  const having = (bit: number) => ends.filter((f) => v.u32(f + F.mode) & bit).length;
  v.expect(ends.length > 0, "pipe", () => `${what()} has no open file`);
  v.equal(v.u32(p + Pipe.files), ends.length, "pipe", () => `the number of files of ${what()}`);
  v.equal(v.u32(p + Pipe.readers), having(L.FMODE_READ), "pipe", () => `the number of readers of ${what()}`);
  v.equal(v.u32(p + Pipe.writers), having(L.FMODE_WRITE), "pipe", () => `the number of writers of ${what()}`);
  checkRing(v, p, what);
}

function checkRing(v: ArenaView, p: number, what: () => string): void {
  const slots = v.u32(p + Pipe.ringSize);
  if (slots < 1 || slots > L.SLOTS_MAX || (slots & (slots - 1)) !== 0) {
    v.problem("pipe", `${what()} has ${slots} slots`);
    return;
  }
  const ring = v.u32(p + Pipe.bufs);
  if (!v.own(ring, Math.max(slots << L.SLOT_SHIFT, 16), () => `the ring of ${what()}`)) return;
  const [head, tail] = [v.u32(p + Pipe.head), v.u32(p + Pipe.tail)];
  const full = (head - tail) >>> 0;
  if (full > slots) {
    v.problem("pipe", `${what()} has ${full} pages in ${slots} slots`);
    return;
  }
  for (let k = 0; k < slots; k++) {
    const slot = ring + (((tail + k) & (slots - 1)) << L.SLOT_SHIFT);
    const page = v.u32(slot);
    if (page !== 0) v.own(page, L.PIPE_PAGE, () => `page ${k} of ${what()}`);
    if (k >= full) continue;
    const [offset, bytes] = [v.u32(slot + L.SLOT_BYTES) & 0xffff, v.u32(slot + L.SLOT_BYTES) >>> 16];
    const right = page !== 0 && bytes > 0 && offset + bytes <= L.PIPE_PAGE;
    v.expect(right, "pipe", () => `page ${k} of ${what()}, at ${hex(page)}, has ${bytes} bytes from ${offset} on`);
  }
}

/** A descriptor whose open of a FIFO waits: only the thread that opens can go on with it. @returns its file; 0: it is another descriptor */
export function openingOf(v: ArenaView, descriptor: number): number {
  if (!(descriptor & OPENING) || descriptor === L.FD_RESERVED) return 0;
  const f = (descriptor & ~OPENING) >>> 0;
  if (!v.isLive(L.CACHE_FILE, f)) return f;
  const opener = v.u32(f + F.opener);
  const slot = L.SLOTS + (opener - 1) * L.SLOT_SIZE;
  const lives = opener >= 1 && opener <= L.MAX_THREADS && v.u32(slot + L.SLOT_STATE) !== 0;
  v.expect(lives, "pipe", () => `the open of file ${hex(f)} waits for thread ${opener}, which there is not`);
  const mode = v.u32(f + F.mode) & (L.FMODE_READ | L.FMODE_WRITE);
  const waits = v.u32(f + F.mode) & L.FMODE_PIPE && (mode === L.FMODE_READ || mode === L.FMODE_WRITE);
  v.expect(waits !== 0 && waits, "pipe", () => `file ${hex(f)}, whose open waits, is no end of a pipe`);
  if (lives)
    v.equal(
      v.u32(slot + L.SLOT_OPENS),
      1,
      "pipe",
      () => `whether the slot of thread ${opener} says that an open waits`,
    );
  return f;
}
