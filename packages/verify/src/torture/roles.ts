/** The turn of a thread of a torture run, by its role. */
import { AT_FDCWD, ERRNO } from "../../../threadfs/dist/abi/abi.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import type { VfsHandle } from "../../../threadfs/dist/src/index.js";
import { defined, elementAt } from "../support/defined.js";
import { checkStat, nsecOf, sizeOf } from "./file-stamp.js";
import { ruleDriver } from "./rule-driver.js";
import { COUNT, OP, type Path } from "./shared-state.js";
import type { Thread } from "./thread.js";
import { GEN } from "./workloads/name.js";
import type { Workload } from "./workloads/workload.js";
import {
  itemsOf,
  type OwnedItem,
  QUICK,
  type WorkloadName,
  type Workloads,
  workloadNames,
} from "./workloads/workloads.js";

/** One turn of a thread. */
export type Turn = () => void;

/** Lookups of one path in a batch: the thread writes the path once for all of them. */
const BATCH = 64;

/** Looks one path up many times; `check` runs after each lookup that found a file. Returns the number of these. */
function batch(t: Thread, path: Path, check: () => void): number {
  const { core, counts } = t;
  t.ring.begin(OP.stat, BATCH, 0, path);
  t.arena.path.set(path.bytes);
  const length = path.length;
  let found = 0;
  for (let n = 0; n < BATCH; n++) {
    const result = core.sysStat(0, AT_FDCWD, length, 0);
    if (result === 0) {
      found++;
      check();
    } else if (result !== -ERRNO.ENOENT) t.must(result, `stat of ${path.text}`);
  }
  t.ring.end(found);
  counts.add(COUNT.lookups, BATCH);
  counts.add(COUNT.found, found);
  return found;
}

/** The same for a path that always exists. */
function batchOfAll(t: Thread, path: Path, check: () => void): void {
  const found = batch(t, path, check);
  if (found !== BATCH) t.fail(`${path.text} is always there and was missed ${BATCH - found} times`);
}

function lookUpFixed(t: Thread, { there, never }: Workloads["fixed"], i: number): void {
  const [path, missing] = [elementAt(there, i), elementAt(never, i)];
  batchOfAll(t, path, () => {
    if (t.uid !== i || t.gid !== GEN || t.mtimeNsec !== nsecOf(GEN)) t.fail(`${path.text} is file ${t.uid}`);
  });
  checkStat(t, path, i, GEN, GEN);
  if (batch(t, missing, () => {}) !== 0) t.fail(`${missing.text} never was and was found`);
}

function lookUpReplaced(t: Thread, replaced: Workloads["replaced"], i: number): void {
  const [path, name, uid] = [elementAt(replaced.paths, i), elementAt(replaced.names, i), replaced.uid(i)];
  name.before();
  let oldest = Number.MAX_SAFE_INTEGER;
  let newest = 0;
  batchOfAll(t, path, () => {
    const gen = t.gid;
    if (gen < newest) t.fail(`${path.text} is generation ${gen} and was ${newest} before`);
    if (t.uid !== uid || t.mtimeNsec !== nsecOf(gen) || t.size !== sizeOf(gen)) {
      t.fail(`${path.text} is file ${t.uid}.${gen} of ${t.size} bytes, mtime ${t.mtimeNsec}`);
    }
    if (gen < oldest) oldest = gen;
    newest = gen;
  });
  if (oldest < name.low || newest > name.high) {
    t.fail(`${path.text} was generation ${oldest} to ${newest}; ${name.low} to ${name.high} could be there`);
  }
}

function lookUpExchanged(t: Thread, exchanged: Workloads["exchanged"], i: number): void {
  const [path, uid] = [elementAt(exchanged.a, i), exchanged.uid(i)];
  batchOfAll(t, path, () => {
    if (t.uid !== uid && t.uid !== uid + 1) t.fail(`${path.text} is file ${t.uid}`);
  });
}

function lookUpStrayed(t: Thread, strayed: Workloads["strayed"], i: number): void {
  const never = elementAt(strayed.never, i);
  let before = t.refWalks();
  batch(t, never, () => {
    strayed.found(t, never, before);
    before = t.refWalks();
  });
}

function lookUpTorn(t: Thread, torn: Workloads["torn"], i: number): void {
  const path = elementAt(torn.paths, i);
  batchOfAll(t, path, () => torn.check(t, i, path));
}

function lookUpChurned(t: Thread, { paths }: Workloads["churned"], i: number): void {
  batch(t, elementAt(paths, i), () => {
    if (t.uid !== 0) t.fail(`a directory of owner ${t.uid}`);
  });
}

/** The hot reader: millions of lookups a second, each with a check of the stamp. */
export function makeReader(t: Thread, workloads: Workloads): Turn {
  const { fixed, replaced, exchanged, strayed, churned, torn } = workloads;
  return () => {
    const choice = t.next(9);
    if (choice === 8) lookUpTorn(t, torn, t.next(torn.items));
    else if (choice < 2) lookUpFixed(t, fixed, t.next(fixed.items));
    else if (choice < 3) lookUpReplaced(t, replaced, t.next(replaced.items));
    else if (choice < 4) lookUpExchanged(t, exchanged, t.next(exchanged.items));
    else if (choice < 7) lookUpStrayed(t, strayed, t.next(strayed.items));
    else lookUpChurned(t, churned, t.next(churned.items));
  };
}

/** Reads a random item of a workload. */
function readAny(t: Thread, workload: Workload): void {
  workload.read(t, t.next(workload.items));
}

/** The tracker: makes every workload's own read, which knows exactly the states that a reader may see. */
export function makeTracker(t: Thread, workloads: Workloads, handle: VfsHandle): Turn {
  const list: readonly Workload[] = Object.values(workloads);
  return () => {
    for (let n = 0; n < 16; n++) readAny(t, elementAt(list, t.next(list.length)));
    if (t.next(2) === 0) workloads.aliased.burst(t);
    if (t.next(500) === 0) visit(t, workloads, handle);
  };
}

/** The workloads that a sleeper reads: their files are freed, moved or replaced while it sleeps. */
const SLEEPER_WORKLOADS: readonly WorkloadName[] = [
  "churned",
  "strayed",
  "coming",
  "replaced",
  "moved",
  "exchanged",
  "bodies",
  "swung",
  "aliased",
  "remade",
];

/** The sleeper: its security hook sleeps in the middle of walks in rcu mode, and the walk goes on when it wakes. */
export function makeSleeper(t: Thread, workloads: Workloads): Turn {
  return () => {
    for (let n = 0; n < 4; n++) {
      readAny(t, workloads[elementAt(SLEEPER_WORKLOADS, t.next(SLEEPER_WORKLOADS.length))]);
    }
  };
}

/** Attaches another time, walks a little and detaches: an attachment has a slot and a scratch area of its own. */
function visit(t: Thread, { fixed }: Workloads, handle: VfsHandle): void {
  t.ring.begin(OP.attach, 0, 0);
  const arena = Attachment.attach(handle, { now: () => t.clock.ms });
  try {
    arena.drivers.register(ruleDriver(), 0);
    const path = elementAt(fixed.there, t.next(fixed.items));
    for (let n = 0; n < 4; n++) {
      arena.path.set(path.bytes);
      t.must(arena.core.sysStat(0, AT_FDCWD, path.length, 0), `stat of ${path.text}`);
    }
    t.counts.add(COUNT.guests);
  } finally {
    arena.close();
  }
  t.ring.end(0);
}

/** The calls of the reader through `vfs.fs`. */
function fsCalls(t: Thread, { fixed, replaced, permuted, moved }: Workloads): Turn[] {
  return [
    () => {
      const path = elementAt(fixed.there, t.next(fixed.items));
      if (!t.viaFs(path, (fs, text) => fs.existsSync(text))) t.fail(`${path.text} is always there and was not found`);
    },
    () => {
      const path = elementAt(fixed.never, t.next(fixed.items));
      if (t.viaFs(path, (fs, text) => fs.existsSync(text))) t.fail(`${path.text} never was and was found`);
    },
    () => {
      const i = t.next(replaced.items);
      const [path, name] = [elementAt(replaced.paths, i), elementAt(replaced.names, i)];
      name.before();
      const { uid, gid, size } = defined(
        t.viaFs(path, (fs, text) => fs.statSync(text)),
        "stat",
      );
      if (uid !== replaced.uid(i) || gid < name.low || gid > name.high || size !== sizeOf(gid)) {
        t.fail(`${path.text} is file ${uid}.${gid} of ${size} bytes; ${name.possible}`);
      }
    },
    () => {
      const path = elementAt(replaced.paths, t.next(replaced.items));
      const bytes = defined(
        t.viaFs(path, (fs, text) => fs.readFileSync(text)),
        "contents",
      );
      const words = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
      // Whichever generation it is, all its words are the same, and there is at least one.
      if (words.some((word) => word !== words[0]) || words.length === 0) {
        t.fail(`${path.text} reads words of two files`);
      }
    },
    () => {
      const path = elementAt(permuted.dirs, t.next(permuted.items));
      const names = defined(
        t.viaFs(path, (fs, text) => fs.readdirSync(text)),
        "names",
      );
      if (names.length !== permuted.files || new Set(names).size !== names.length) {
        t.fail(`${path.text} shows ${names.join(" ")}`);
      }
    },
    () => {
      const path = moved.anyPlace(t);
      const real = t.viaFs(path, (fs, text) => fs.realpathSync.native(text), "ENOENT");
      if (real !== undefined && !moved.isPlace(real)) t.fail(`the real path of ${path.text} is ${real}`);
    },
  ];
}

/** The reader through `vfs.fs`. */
export function makeFsReader(t: Thread, workloads: Workloads): Turn {
  const calls = fsCalls(t, workloads);
  return () => {
    for (let n = 0; n < 8; n++) elementAt(calls, t.next(calls.length))();
    if (t.next(2) === 0) workloads.aliased.burst(t);
  };
}

/** Changes a random item. Returns its workload. */
function writeAny(t: Thread, items: readonly OwnedItem[]): Workload {
  const [workload, i] = elementAt(items, t.next(items.length));
  workload.write(t, i);
  t.counts.add(COUNT.changes);
  return workload;
}

/** The lists that are not empty: among many threads a thread may own no item of a small workload. */
function itemLists(workloads: Workloads, index: number, among: number, names: readonly WorkloadName[]): OwnedItem[][] {
  return names.map((name) => itemsOf(workloads, index, among, [name])).filter((items) => items.length > 0);
}

/**
 * The mixer: changes its own items in a random order, and reads in between. Small workloads get as many turns as large ones.
 * @param without workloads that it leaves alone
 */
export function makeMixer(
  t: Thread,
  workloads: Workloads,
  index: number,
  among: number,
  without: readonly WorkloadName[] = [],
): Turn {
  const names = workloadNames(workloads).filter((name) => !QUICK.includes(name) && !without.includes(name));
  const lists = itemLists(workloads, index, among, names);
  return () => {
    for (let n = 0; n < 8; n++) {
      const workload = writeAny(t, elementAt(lists, t.next(lists.length)));
      if (n === 0) readAny(t, workload);
    }
  };
}

/**
 * The renamer: changes the quick workloads as fast as it can; `mayGo()` keeps it to its share where a run ends at a number of
 * lookups and renames.
 */
export function makeRenamer(t: Thread, workloads: Workloads, index: number, among: number, mayGo: () => boolean): Turn {
  const lists = itemLists(workloads, index, among, QUICK);
  return () => {
    if (!mayGo()) return;
    for (let n = 0; n < 32; n++) writeAny(t, elementAt(lists, t.next(lists.length)));
  };
}
