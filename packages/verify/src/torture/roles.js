/** What a thread of a torture run does in one turn, by its role. */
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { checkStat, nsecOf, sizeOf } from "./file-stamp.js";
import { ruleDriver } from "./mount-workloads.js";
import { COUNT, OP } from "./shared-state.js";
import { ENOENT, GID, MTIME_NSEC, SIZE, UID } from "./thread.js";
import { itemsOf, QUICK } from "./workloads.js";

const AT_FDCWD = -100;
/** Lookups of one path before the next is handed over. */
const BATCH = 64;

/** Looks one path up many times; `check` is asked after each that was found. Answers how many were. */
function batch(t, path, check) {
  const { core, counts } = t;
  t.ring.begin(OP.stat, BATCH, 0, path);
  t.arena.path.set(path.bytes);
  const length = path.length;
  let found = 0;
  for (let n = 0; n < BATCH; n++) {
    const answer = core.sysStat(0, AT_FDCWD, length, 0);
    if (answer === 0) {
      found++;
      check();
    } else if (answer !== -ENOENT) t.must(answer, `stat of ${path.text}`);
  }
  t.ring.end(found);
  counts[COUNT.lookups] += BATCH;
  counts[COUNT.found] += found;
  return found;
}

/** The hot reader: millions of lookups a second, each with a look at its stamp. */
export function makeReader(t, workloads) {
  const { fixed, replaced, exchanged, strayed, churned, torn } = workloads;
  const s = t.stats;
  const all = (path, found) =>
    found === BATCH || t.fail(`${path.text} is always there and was missed ${BATCH - found} times`);
  function ofFixed(i) {
    const path = fixed.there[i];
    all(
      path,
      batch(
        t,
        path,
        () => (s[UID] === i && s[GID] === 1 && s[MTIME_NSEC] === nsecOf(1)) || t.fail(`${path.text} is file ${s[UID]}`),
      ),
    );
    checkStat(t, path, i, 1, 1);
    const never = fixed.never[i];
    if (batch(t, never, () => {}) !== 0) t.fail(`${never.text} never was and was found`);
  }
  function ofReplaced(i) {
    const path = replaced.paths[i];
    const name = replaced.names[i];
    const uid = 1000 + i;
    name.before();
    let oldest = Number.MAX_SAFE_INTEGER;
    let newest = 0;
    const check = () => {
      const gen = s[GID];
      if (gen < newest) t.fail(`${path.text} is generation ${gen} and was ${newest} before`);
      if (s[UID] !== uid || s[MTIME_NSEC] !== nsecOf(gen) || s[SIZE] !== sizeOf(gen)) {
        t.fail(`${path.text} is file ${s[UID]}.${gen} of ${s[SIZE]} bytes, mtime ${s[MTIME_NSEC]}`);
      }
      if (gen < oldest) oldest = gen;
      newest = gen;
    };
    all(path, batch(t, path, check));
    if (oldest < name.low || newest > name.high) {
      t.fail(`${path.text} was generation ${oldest} to ${newest}; ${name.low} to ${name.high} could be there`);
    }
  }
  function ofExchanged(i) {
    const path = exchanged.a[i];
    const uid = 3000 + i * 2;
    all(
      path,
      batch(t, path, () => s[UID] === uid || s[UID] === uid + 1 || t.fail(`${path.text} is file ${s[UID]}`)),
    );
  }
  function ofStrayed(i) {
    let before = t.refWalks();
    batch(t, strayed.never[i], () => {
      strayed.found(t, i, before);
      before = t.refWalks();
    });
  }
  const ofTorn = (i) =>
    all(
      torn.paths[i],
      batch(t, torn.paths[i], () => torn.check(t, i)),
    );
  const ofChurned = (i) => batch(t, churned.paths[i], () => s[UID] === 0 || t.fail(`a directory of owner ${s[UID]}`));
  return () => {
    const what = t.next(9);
    if (what === 8) ofTorn(t.next(torn.items));
    else if (what < 2) ofFixed(t.next(fixed.items));
    else if (what < 3) ofReplaced(t.next(replaced.items));
    else if (what < 4) ofExchanged(t.next(exchanged.items));
    else if (what < 7) ofStrayed(t.next(strayed.items));
    else ofChurned(t.next(churned.items));
  };
}

/** The tracker: every station's own reading, which knows to the move what may be seen. */
export function makeTracker(t, workloads, handle) {
  const list = Object.values(workloads);
  return () => {
    for (let n = 0; n < 16; n++) {
      const workload = list[t.next(list.length)];
      workload.read(t, t.next(workload.items));
    }
    if (t.next(500) === 0) visit(t, workloads, handle);
  };
}

/** What a sleeper asks for: what is freed, moved or made anew while it sleeps. */
const SLEEPERS = ["churned", "strayed", "coming", "replaced", "moved", "exchanged", "bodies", "swung"];

/** The sleeper: falls asleep in the middle of walks in rcu mode (its security hook does), and reads on when it wakes. */
export function makeSleeper(t, workloads) {
  return () => {
    for (let n = 0; n < 4; n++) {
      const workload = workloads[SLEEPERS[t.next(SLEEPERS.length)]];
      workload.read(t, t.next(workload.items));
    }
  };
}

/** A thread that comes, looks and goes: an attachment of its own with a slot and a scratch area. */
function visit(t, workloads, handle) {
  t.ring.begin(OP.attach, 0, 0);
  const arena = Attachment.attach(handle, { now: () => t.clock.ms });
  try {
    arena.drivers.register(ruleDriver());
    const path = workloads.fixed.there[t.next(workloads.fixed.items)];
    for (let n = 0; n < 4; n++) {
      arena.path.set(path.bytes);
      t.must(arena.core.sysStat(0, AT_FDCWD, path.length, 0), `stat of ${path.text}`);
    }
    t.counts[COUNT.guests]++;
  } finally {
    arena.close();
  }
  t.ring.end(0);
}

/** The reader through `vfs.fs`. */
export function makeFsReader(t, workloads) {
  const { fixed, replaced, permuted, moved } = workloads;
  const turns = [
    () => {
      const path = fixed.there[t.next(fixed.items)];
      if (!t.viaFs(path, (fs, text) => fs.existsSync(text))) t.fail(`${path.text} is always there and was not found`);
    },
    () => {
      const path = fixed.never[t.next(fixed.items)];
      if (t.viaFs(path, (fs, text) => fs.existsSync(text))) t.fail(`${path.text} never was and was found`);
    },
    () => {
      const i = t.next(replaced.items);
      const path = replaced.paths[i];
      replaced.names[i].before();
      const { uid, gid, size } = t.viaFs(path, (fs, text) => fs.statSync(text));
      const { low, high } = replaced.names[i];
      if (uid !== 1000 + i || gid < low || gid > high || size !== sizeOf(gid)) {
        t.fail(`${path.text} is file ${uid}.${gid} of ${size} bytes; generations ${low} to ${high} could be there`);
      }
    },
    () => {
      const i = t.next(replaced.items);
      const path = replaced.paths[i];
      const bytes = t.viaFs(path, (fs, text) => fs.readFileSync(text));
      const words = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
      // Whichever generation it is, all its words are the same, and its length is that of a generation.
      if (words.some((word) => word !== words[0]) || words.length === 0)
        t.fail(`${path.text} reads words of two files`);
    },
    () => {
      const path = permuted.dirs[t.next(permuted.items)];
      const names = t.viaFs(path, (fs, text) => fs.readdirSync(text));
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
  return () => {
    for (let n = 0; n < 8; n++) turns[t.next(turns.length)]();
  };
}

/** The mixer: changes whatever is its own, in a scattered order, and reads in between. */
export function makeMixer(t, workloads, index, among) {
  const names = Object.keys(workloads).filter((name) => !QUICK.includes(name));
  const owned = itemsOf(workloads, index, among, names);
  // A station with many items is not to fill all the time.
  const lists = [...groupBy(owned).values()];
  return () => {
    for (let n = 0; n < 8; n++) {
      const list = lists[t.next(lists.length)];
      const [workload, i] = list[t.next(list.length)];
      workload.write(t, i);
      t.counts[COUNT.changes]++;
      if (n === 0) workload.read(t, t.next(workload.items));
    }
  };
}

function groupBy(owned) {
  const groups = new Map();
  for (const entry of owned) groups.set(entry[0], [...(groups.get(entry[0]) ?? []), entry]);
  return groups;
}

/** The renamer: changes what is quickly changed as fast as it can; `mayGo()` keeps it to its share where a count is to be reached. */
export function makeRenamer(t, workloads, index, among, mayGo) {
  const lists = QUICK.map((name) => itemsOf(workloads, index, among, [name]));
  return () => {
    if (!mayGo()) return;
    for (let n = 0; n < 32; n++) {
      const list = lists[t.next(lists.length)];
      const [workload, i] = list[t.next(list.length)];
      workload.write(t, i);
      t.counts[COUNT.changes]++;
    }
  };
}
