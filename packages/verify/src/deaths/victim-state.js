/** What a dead worker has left: in its slots of the shared memory, and in the tree. */
import {
  MAX_THREADS,
  SLOT_ACTIVE,
  SLOT_HOST_ID,
  SLOT_SIZE,
  SLOT_STATE,
  SLOT_UNDO_LOG,
  SLOTS,
  UNDO_LOG_COUNTS,
} from "../arena/layout.js";
import { typeOf, VictimWorkload } from "./victim-workload.js";

/** First of each list of a journal (core/mem/undo/log.ts). */
const LOG_LOCK = 24;
const LOG_MUTEX = 184;
const WAITERS = 0x80000000;

/** The slots that carry a host's name for a thread. */
export function slotsOf(memory, name) {
  const words = new Uint32Array(memory.buffer);
  const all = Array.from({ length: MAX_THREADS }, (_, slot) => slot);
  return all.filter((slot) => {
    const at = SLOTS + slot * SLOT_SIZE;
    return words[(at + SLOT_STATE) >>> 2] !== 0 && words[(at + SLOT_HOST_ID) >>> 2] === name;
  });
}

/** What the thread of a slot held when it died. */
export function heldBy(memory, slot) {
  const words = new Uint32Array(memory.buffer);
  const at = SLOTS + slot * SLOT_SIZE;
  const journal = at + SLOT_UNDO_LOG;
  const word = (address) => Atomics.load(words, address >>> 2);
  const mine = (address) => address !== 0 && (word(address) & ~WAITERS) >>> 0 === slot + 1;
  const list = (count, first) =>
    Array.from({ length: word(journal + count) }, (_, k) => word(journal + first + k * 4)).filter(mine);
  const pending = word(journal + UNDO_LOG_COUNTS.pending);
  return {
    "in a section": list(UNDO_LOG_COUNTS.locks, LOG_LOCK).length > 0 || mine(pending),
    "with something to undo": word(journal + UNDO_LOG_COUNTS.entries) > 0,
    "holding a mutex": list(UNDO_LOG_COUNTS.mutexes, LOG_MUTEX).length > 0,
    "waiting for a lock": pending !== 0 && !mine(pending),
    "in a call with references": word(at + SLOT_ACTIVE) !== 0,
  };
}

/** Everything of a worker's own places, as text by path. */
function seen(fs, workload) {
  const found = new Map();
  const walk = (path, full) => {
    const stats = fs.lstatSync(full);
    const type = typeOf(stats);
    const own = { type, mode: stats.mode & 0o7777, nlink: stats.nlink };
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

/** Whether a file's bytes are of one of two texts each. */
function isMixed(bytes, { data, mixed }) {
  return bytes.length === data.length && bytes.every((byte, i) => byte === data[i] || byte === mixed[i]);
}

function sameInode(own, inode, workload) {
  if (own.type !== inode.type) return `is a ${own.type}, not a ${inode.type}`;
  if (own.type === "link") return own.target === inode.target ? null : "leads elsewhere";
  if (own.mode !== inode.mode) return `has mode ${own.mode.toString(8)}, not ${inode.mode.toString(8)}`;
  if (own.type === "dir") return null;
  if (own.nlink !== workload.links(inode)) return `has ${own.nlink} links, not ${workload.links(inode)}`;
  if (inode.mixed ? isMixed(own.data, inode) : own.data.equals(inode.data)) return null;
  return `has other contents (${own.data.length} bytes, ${inode.data.length} expected)`;
}

/** Where the tree differs from what a script says, or null. */
function differs(found, places, workload) {
  for (const [path, inode] of workload.entries) {
    const own = found.get(path);
    if (own === undefined) return `${path} is missing`;
    const wrong = sameInode(own, inode, workload);
    if (wrong) return `${path} ${wrong}`;
  }
  const more = [...found.keys()].find((path) => !workload.entries.has(path));
  if (more) return `${more} should not be there`;
  for (const [what, is] of Object.entries(places)) {
    if (is !== workload[what]) return `${what} is ${is}, not ${workload[what]}`;
  }
  return null;
}

/** A script brought to where all steps before `n` were made; `last` the step in hand, if there is one. */
function workloadAt(options, ended, begun) {
  const workload = new VictimWorkload(options);
  for (let n = 0; n < ended; n++) workload.next().apply();
  return { workload, last: begun > ended ? workload.next() : undefined };
}

/**
 * What is in the tree must be what the record allows: all steps that ended, none that did not begin, the one in hand or not.
 * @returns {{ wrong: string | null, inHand: string | null, happened: boolean, text?: string }}
 */
export function judgeVictim({ vfs, context, record, workload: options }) {
  const { begun, ended } = record;
  const { workload, last } = workloadAt(options, ended, begun);
  const found = seen(vfs.fs, workload);
  const dev = (path) => vfs.fs.statSync(workload.full(path)).dev;
  const home = dev("a");
  const inodeOf = (path) => vfs.fs.statSync(workload.full(path)).ino;
  const places = {
    mounted: dev("mnt") !== home,
    bound: inodeOf("bnd") === inodeOf("a"),
    driven: dev("drv") !== home,
    cwd: context.getcwd().slice(workload.home.length + 1),
  };
  const notHappened = differs(found, places, workload);
  if (notHappened === null) return { wrong: null, inHand: last ? "not happened" : null, text: last?.text };
  if (last === undefined) return { wrong: `after step ${ended} of ${begun}: ${notHappened}` };
  const reasons = [notHappened];
  for (const [n, change] of [
    (s) => s.apply(),
    ...(last.between ?? []).map((_, k) => (s) => s.between[k]()),
  ].entries()) {
    const other = workloadAt(options, ended, begun);
    change(other.last);
    const wrong = differs(found, places, other.workload);
    if (wrong === null) return { wrong: null, inHand: n === 0 ? "happened" : "between", text: last.text };
    reasons.push(wrong);
  }
  return { wrong: `after step ${ended}, in "${last.text}": ${reasons.join("; or ")}` };
}

/** Takes away what a worker has left. */
export function removeVictim({ vfs, context, workload: options }) {
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

function isMounted(vfs, workload, place) {
  const [own, home] = [place, "."].map((path) => vfs.fs.statSync(workload.full(path)));
  return own.dev !== home.dev || own.ino === vfs.fs.statSync(workload.full("a")).ino;
}
