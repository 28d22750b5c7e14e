// How long does a lookup take? existsSync of paths that exist and of paths that do not, and statSync, over a tree of
// 10,000 and of 1,000,000 files in scattered order: threadfs, C over the kernel, node:fs over the kernel, memfs.
//
// What is comparable: the kernel's rivals work from the tree's root as their working directory, so every path has the
// same 8 components for everybody; C and the kernel hand over a pointer, threadfs, node:fs and memfs a JavaScript string.
// What is not: the kernel's answer covers credentials, mounts and a file system of its own; threadfs does as much, memfs
// does not look at permissions. C's and node:fs's missing paths on tmpfs cost a new dentry each time, because tmpfs keeps
// no negative ones; a second kernel file system, which keeps them, is measured beside.

import { availableMemory } from "./lib/machine.js";
import { benchOrder } from "./lib/random.js";
import { Remote } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { LABEL, openRival } from "./lib/rivals.js";
import { timed } from "./lib/rounds.js";
import { compileSyscall, Syscall } from "./lib/syscall.js";
import { fastestDirectory, fileSystemType, freeInodes, makeTempDirectory, removeTempDirectory } from "./lib/tempdir.js";
import { allPaths, directoryCount, inOrder, makeFiles, meanLength, sideOf } from "./lib/tree.js";

/** What is measured, and the targets: how many times the rival's time ours is to be contained. */
const CALLS = [
  { name: "existsSync, existing", call: "exists", which: "e", targets: { C: 6, node: 10, memfs: 20 } },
  { name: "existsSync, missing", call: "exists", which: "m", targets: { C: 6, node: 10, memfs: 20 } },
  { name: "statSync", call: "stat", which: "e", targets: { node: 10, memfs: 15 } },
];

/** Heap and resident bytes that memfs wants for one file, generously; below that it is left out. */
const MEMFS_BYTES_A_FILE = 4500;

const ROUND_MS = 25;
/** Rounds of this bench for one of the others': short ones, many of them, so that some meet the machine undisturbed. */
const ROUNDS = 6;

// ---- in the rival's process ----

/** Opens the rival and makes the tree; `makes` is false where another process made it (the kernel's). */
export async function prepare(state, { kind, count, makes }) {
  const rival = await openRival(kind, { maxBytes: Math.max(2 ** 28, count * 700) });
  state.fs = rival.fs;
  if (makes) makeFiles(rival.fs, 0, count, rival.prefix, sideOf(count));
  const order = benchOrder(count);
  state.lists = {
    e: inOrder(allPaths(count, rival.prefix), order),
    m: inOrder(allPaths(count, rival.prefix, ".ts"), order),
  };
  state.next = { e: 0, m: 0 };
}

// One loop a call, each with one call site, and each process has one rival: as monomorphic as a program's own code.
function existsLoop(fs, paths, start, count) {
  let found = 0;
  for (let i = 0, at = start; i < count; i++) {
    if (fs.existsSync(paths[at])) found++;
    if (++at === paths.length) at = 0;
  }
  return found;
}

function statLoop(fs, paths, start, count) {
  let found = 0;
  for (let i = 0, at = start; i < count; i++) {
    if (fs.statSync(paths[at]).mode !== 0) found++;
    if (++at === paths.length) at = 0;
  }
  return found;
}

/** One loop of `count` calls, going on where the last one stopped: nanoseconds a call, and the paths found. */
export function loop(state, { call, which, count }) {
  const paths = state.lists[which];
  const start = state.next[which];
  state.next[which] = (start + count) % paths.length;
  const run = call === "exists" ? existsLoop : statLoop;
  let at = start;
  let found = 0;
  const ns = timed((times) => {
    found += run(state.fs, paths, at, times);
    at = (at + times) % paths.length;
  }, count);
  return { ns, found };
}

// ---- in the bench's process ----

/** A contestant: `loop(call, which, count)` answers { ns, found }, nanoseconds a call. */
function remoteContestant(kind, label, remote) {
  return {
    kind,
    label,
    loop: (call, which, count) => remote.call("loop", { call, which, count }),
    stop: () => remote.stop(),
  };
}

function syscallContestant(label, program, count, scratch, cwd) {
  const lists = { existing: allPaths(count, ""), missing: allPaths(count, "", ".ts"), order: benchOrder(count) };
  const syscall = new Syscall(program, lists, scratch, cwd);
  return {
    kind: "C",
    label,
    loop: (call, which, times) => syscall.loop(call === "exists" ? "access" : call, which, times),
    stop: () => syscall.stop(),
  };
}

async function startRemote(kind, count, options = {}) {
  const remote = new Remote(import.meta.url, options);
  await remote.call("prepare", { kind, count, makes: options.makes ?? true });
  return remoteContestant(kind, options.label ?? LABEL[kind], remote);
}

/** Every contestant for a tree of `count` files, and the directories to remove afterwards. */
async function gather(count, options, result) {
  const { log, skip, scratch } = options;
  const contestants = [];
  const directories = [];
  const wants = (kind) => !skip.includes(kind);
  if (wants("threadfs")) {
    log(`threadfs: ${count} files`);
    contestants.push(await startRemote("threadfs", count));
  }
  const program = wants("C") ? compileSyscall(scratch) : undefined;
  if (wants("C") && !program) result.note("no C compiler (or not Linux): access(2) and stat(2) from C were left out");
  const places = [fastestDirectory()];
  if (fileSystemType(options.tempdir) !== fileSystemType(places[0])) places.push(options.tempdir);
  for (const place of places) {
    if (!wants("node") && !program) continue;
    const type = fileSystemType(place);
    const room = freeInodes(place);
    if (room < (count + directoryCount(count)) * 1.05) {
      result.note(`${type}: room for ${room} files only; the kernel's rivals were left out for ${count}`);
      continue;
    }
    log(`kernel, ${type}: ${count} files`);
    const cwd = makeTempDirectory(place);
    directories.push(cwd);
    const label = `node:fs on ${type}`;
    const node = await startRemote("node", count, { cwd, label });
    if (wants("node")) contestants.push(node);
    else node.stop();
    if (program) contestants.push(syscallContestant(`C on ${type}`, program, count, scratch, cwd));
  }
  if (wants("memfs")) {
    const bytes = count * MEMFS_BYTES_A_FILE;
    if (bytes > availableMemory() * 0.6) {
      result.note(`memfs was left out for ${count} files: it wants about ${(bytes / 2 ** 30).toFixed(1)} GiB of heap`);
    } else {
      log(`memfs: ${count} files`);
      const heap = Math.max(1024, Math.ceil(bytes / 2 ** 20) + 1024);
      contestants.push(await startRemote("memfs", count, { nodeOptions: [`--max-old-space-size=${heap}`] }));
    }
  }
  return { contestants, directories };
}

/** How many calls fill a round, found by growing loops that warm up at the same time. */
async function calibrate(contestant, { call, which, name }, count) {
  let times = 2000;
  let ns = 0;
  for (let turn = 0; turn < 12; turn++) {
    const answer = await contestant.loop(call, which, times);
    check(contestant, name, which, answer.found, times);
    ns = answer.ns;
    if (ns * times > (ROUND_MS / 2) * 1e6) break;
    times *= 2;
  }
  // A small tree is visited in whole passes, so that every round does the same work.
  const wanted = Math.round((ROUND_MS * 1e6) / ns);
  return count <= wanted ? Math.round(wanted / count) * count : Math.max(2000, wanted);
}

/** A fast wrong answer is worth nothing. */
function check(contestant, name, which, found, times) {
  const expected = which === "e" ? times : 0;
  if (found !== expected) throw new Error(`${contestant.label}, ${name}: ${found} of ${times} found, not ${expected}`);
}

async function measureTree(count, options, result) {
  const { contestants, directories } = await gather(count, options, result);
  try {
    const size = count.toLocaleString("en-US");
    const series = [];
    for (const contestant of contestants) {
      // A whole pass first: caches, ropes, negative entries and compiled code are as they will stay.
      for (const which of ["e", "m"]) await contestant.loop("exists", which, count);
      for (const call of CALLS) {
        series.push({ contestant, call, times: await calibrate(contestant, call, count), rounds: [] });
      }
    }
    const wanted = options.rounds * ROUNDS;
    for (let round = 0; round < wanted; round++) {
      for (const call of CALLS) {
        for (const entry of series.filter((candidate) => candidate.call === call)) {
          const { ns, found } = await entry.contestant.loop(call.call, call.which, entry.times);
          check(entry.contestant, call.name, call.which, found, entry.times);
          entry.rounds.push(ns);
        }
      }
      if ((round + 1) % ROUNDS === 0) options.log(`${size} files: round ${round + 1} of ${wanted}`);
    }
    for (const { label, kind, loop } of contestants) {
      if (kind !== "C") continue;
      const { ns } = await loop("empty", "e", 200000);
      result.measure(`an empty system call, ${size} files`, label, "ns", [ns]);
    }
    for (const call of CALLS) {
      let ours;
      for (const { contestant, rounds } of series.filter((candidate) => candidate.call === call)) {
        const entry = result.measure(`${call.name}, ${size} files`, contestant.label, "ns", rounds);
        if (contestant.kind === "threadfs") ours = entry;
        else result.ratio(entry.what, entry, ours, call.targets[contestant.kind]);
      }
    }
  } finally {
    for (const contestant of contestants) contestant.stop();
    for (const directory of directories) removeTempDirectory(directory);
  }
}

async function run(options) {
  const result = new Result("lookup", "How long does a lookup take, beside C, node:fs and memfs?");
  for (const count of options.quick ? [10000, 100000] : [10000, 1000000]) {
    result.note(`${count.toLocaleString("en-US")} files: ${meanLength(count).toFixed(1)} characters a path on average`);
    await measureTree(count, options, result);
  }
  return result;
}

export default { name: "lookup", run };
