/** What a dead worker has left: in its slots of the shared memory, and in the tree. */
import { LOCK_OWNER } from "../../../threadfs/dist/abi/abi.js";
import type { Context, FsSync, SharedMemory, Vfs } from "../../../threadfs/dist/src/index.js";
import {
  LOG_LOCK,
  LOG_MUTEX,
  MAX_THREADS,
  SLOT_ACTIVE,
  SLOT_HOST_ID,
  SLOT_SHARED,
  SLOT_SIZE,
  SLOT_STATE,
  SLOT_UNDO_LOG,
  SLOTS,
  UNDO_LOG_COUNTS,
} from "../arena/layout.js";
import { defined } from "../support/defined.js";
import type { ProgressRecord } from "./progress-record.js";
import {
  type FileInode,
  type Inode,
  type Step,
  typeOf,
  type VictimOptions,
  VictimWorkload,
} from "./victim-workload.js";

type Memory = Pick<SharedMemory, "buffer">;

/** The slots of the thread that the host knows under this number. */
export function slotsOf(memory: Memory, name: number): number[] {
  const words = new Uint32Array(memory.buffer);
  const all = Array.from({ length: MAX_THREADS }, (_, slot) => slot);
  return all.filter((slot) => {
    const at = SLOTS + slot * SLOT_SIZE;
    return words[(at + SLOT_STATE) >>> 2] !== 0 && words[(at + SLOT_HOST_ID) >>> 2] === name;
  });
}

/** Whether the thread of a slot held each of these when it died. */
export function heldBy(memory: Memory, slot: number): Record<string, boolean> {
  const words = new Uint32Array(memory.buffer);
  const at = SLOTS + slot * SLOT_SIZE;
  const log = at + SLOT_UNDO_LOG;
  const word = (address: number) => Atomics.load(words, address >>> 2);
  const mine = (address: number) => address !== 0 && (word(address) & LOCK_OWNER) === slot + 1;
  const list = (count: number, first: number) =>
    Array.from({ length: word(log + count) }, (_, k) => word(log + first + k * 4)).filter(mine);
  const pending = word(log + UNDO_LOG_COUNTS.pending);
  return {
    "in a section": list(UNDO_LOG_COUNTS.locks, LOG_LOCK).length > 0 || mine(pending),
    "with something to undo": word(log + UNDO_LOG_COUNTS.entries) > 0,
    "holding a mutex": list(UNDO_LOG_COUNTS.mutexes, LOG_MUTEX).length > 0,
    "holding a mutex shared": word(at + SLOT_SHARED) !== 0,
    "waiting for a lock": pending !== 0 && !mine(pending),
    "in a call with references": word(at + SLOT_ACTIVE) !== 0,
  };
}

/** An entry of the tree: of a file its contents, of a link its target. */
interface Found {
  type: Inode["type"];
  mode: number;
  nlink: number;
  data?: Buffer;
  target?: string;
}

/** Everything in a worker's own places, by path. */
function seen(fs: FsSync, workload: VictimWorkload): Map<string, Found> {
  const found = new Map<string, Found>();
  const walk = (path: string, full: string) => {
    const stats = fs.lstatSync(full);
    const type = typeOf(stats);
    const own: Found = { type, mode: stats.mode & 0o7777, nlink: stats.nlink };
    if (type === "file") own.data = fs.readFileSync(full);
    if (type === "link") own.target = fs.readlinkSync(full);
    if (path !== "mnt") found.set(path, own);
    if (type === "dir") for (const name of fs.readdirSync(full)) walk(`${path}/${name}`, `${full}/${name}`);
  };
  for (const dir of ["a", "b", "mnt"]) walk(dir, workload.full(dir));
  const own = workload.full("C/").slice("/common/".length);
  for (const name of fs.readdirSync("/common")) {
    if (name.startsWith(own)) walk(`C/${name.slice(own.length)}`, `/common/${name}`);
  }
  return found;
}

/** Whether each byte of a file is of one of two texts. */
function isMixed(bytes: Buffer, data: Buffer, mixed: Buffer): boolean {
  return bytes.length === data.length && bytes.every((byte, i) => byte === data[i] || byte === mixed[i]);
}

function sameContents(bytes: Buffer, { data, mixed }: FileInode): boolean {
  return mixed ? isMixed(bytes, data, mixed) : bytes.equals(data);
}

/** A difference between an entry found and an inode of the model, or null. */
function sameInode(own: Found, inode: Inode, workload: VictimWorkload): string | null {
  if (own.type !== inode.type) return `is a ${own.type}, not a ${inode.type}`;
  if (inode.type === "link") return own.target === inode.target ? null : "leads elsewhere";
  if (own.mode !== inode.mode) return `has mode ${own.mode.toString(8)}, not ${inode.mode.toString(8)}`;
  if (inode.type === "dir") return null;
  if (own.nlink !== workload.links(inode)) return `has ${own.nlink} links, not ${workload.links(inode)}`;
  const bytes = defined(own.data, "contents of the file");
  if (sameContents(bytes, inode)) return null;
  return `has other contents (${bytes.length} bytes, ${inode.data.length} expected)`;
}

/** The entries in a worker's directories, and its working directory. */
type Places = Pick<VictimWorkload, "mounted" | "bound" | "driven" | "cwd">;
const PLACES = ["mounted", "bound", "driven", "cwd"] as const;

/** Where the tree differs from the model, or null. */
function differs(found: Map<string, Found>, places: Places, workload: VictimWorkload): string | null {
  for (const [path, inode] of workload.entries) {
    const own = found.get(path);
    if (own === undefined) return `${path} is missing`;
    const wrong = sameInode(own, inode, workload);
    if (wrong) return `${path} ${wrong}`;
  }
  const more = [...found.keys()].find((path) => !workload.entries.has(path));
  if (more) return `${more} should not be there`;
  for (const what of PLACES) {
    if (places[what] !== workload[what]) return `${what} is ${places[what]}, not ${workload[what]}`;
  }
  return null;
}

/** The model after the steps that ended, and the step in which the worker died, if there is one. */
function workloadAt(
  options: VictimOptions,
  ended: number,
  begun: number,
): { workload: VictimWorkload; last: Step | undefined } {
  const workload = new VictimWorkload(options);
  for (let n = 0; n < ended; n++) workload.next().apply();
  return { workload, last: begun > ended ? workload.next() : undefined };
}

/** A dead worker: its context, how far it came, and what its steps follow from. */
export interface Victim {
  vfs: Vfs;
  context: Context;
  record: Pick<ProgressRecord, "begun" | "ended">;
  workload: VictimOptions;
}

export interface Verdict {
  /** A state of the tree that the record excludes, or null. */
  wrong: string | null;
  /** Whether the step in which the worker died has happened; null: it died between two steps. */
  inHand: "not happened" | "happened" | "between" | null;
  /** That step. */
  text?: string | undefined;
}

/**
 * The tree must be as the record allows: all steps that ended have happened, none that did not begin, and the one in between
 * has happened or has not.
 */
export function judgeVictim({ vfs, context, record, workload: options }: Victim): Verdict {
  const { begun, ended } = record;
  const { workload, last } = workloadAt(options, ended, begun);
  const found = seen(vfs.fs, workload);
  const dev = (path: string) => vfs.fs.statSync(workload.full(path)).dev;
  const home = dev("a");
  const inodeOf = (path: string) => vfs.fs.statSync(workload.full(path)).ino;
  const places: Places = {
    mounted: dev("mnt") !== home,
    bound: inodeOf("bnd") === inodeOf("a"),
    driven: dev("drv") !== home,
    cwd: context.getcwd().slice(workload.home.length + 1),
  };
  const notHappened = differs(found, places, workload);
  if (notHappened === null) return { wrong: null, inHand: last ? "not happened" : null, text: last?.text };
  if (last === undefined) return { wrong: `after step ${ended} of ${begun}: ${notHappened}`, inHand: null };
  const reasons = [notHappened];
  // Each state needs a model of its own, which the change is applied to.
  for (let n = 0; n <= (last.between ?? []).length; n++) {
    const other = workloadAt(options, ended, begun);
    const step = defined(other.last, "last step");
    if (n === 0) step.apply();
    else step.between?.[n - 1]?.();
    const wrong = differs(found, places, other.workload);
    if (wrong === null) return { wrong: null, inHand: n === 0 ? "happened" : "between", text: last.text };
    reasons.push(wrong);
  }
  return { wrong: `after step ${ended}, in "${last.text}": ${reasons.join("; or ")}`, inHand: null };
}

/** Removes what a worker has left. */
export function removeVictim({ vfs, context, workload: options }: Omit<Victim, "record">): void {
  const workload = new VictimWorkload(options);
  for (const place of ["mnt", "bnd", "drv"]) {
    // Several may lie on one another: umount until nothing is mounted.
    for (let n = 0; n < 4 && isMounted(vfs, workload, place); n++) vfs.umount(workload.full(place), { detach: true });
  }
  context.close();
  vfs.fs.rmSync(workload.home, { recursive: true });
  const own = workload.full("C/").slice("/common/".length);
  for (const name of vfs.fs.readdirSync("/common")) {
    if (name.startsWith(own)) vfs.fs.rmSync(`/common/${name}`, { recursive: true });
  }
}

function isMounted(vfs: Vfs, workload: VictimWorkload, place: string): boolean {
  const own = vfs.fs.statSync(workload.full(place));
  const home = vfs.fs.statSync(workload.full("."));
  return own.dev !== home.dev || own.ino === vfs.fs.statSync(workload.full("a")).ino;
}
