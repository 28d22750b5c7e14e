/**
 * Is the rcu-walk free of stores to what others read? The whole conformance suite runs on the instrumented shipping core, and every store and
 * read-modify-write is looked at by its address.
 *
 *   a call of sysAccess or sysStat that rcu mode answered   may write to the calling thread's slot and scratch, nothing else
 *   the rcu part of a walk in any call                      the same: from the store that opens the walk's read-side section to the
 *                                                           one that ends it, or to where the walk announces that it leaves rcu mode
 *
 * That rcu mode answered is told by the core's own counters: endedRcu has grown by one, and none of the drops and restarts. That a walk leaves rcu
 * mode it announces by ND_DROPPED in its nameidata (note() in core/vfs/walk/drop.ts), before it takes the first reference.
 */
import { readdirSync } from "node:fs";
import { COUNTERS, SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import {
  CHUNK,
  PREFIX_CACHE_CHUNKS,
  SLOT_COUNTERS,
  SLOT_EPOCH,
  SLOT_PREFIX_CACHE,
  SLOT_SIZE,
  SLOTS,
} from "../arena/layout.js";
import { shippingCore } from "../binary/core.js";
import { interpose } from "../binary/interpose.js";
import { defineCheck } from "../support/check.js";

export const title = "an rcu-walk stores to its own thread's slot, scratch and memo only";

const ND_DROPPED = 8;
/** Failures that are told; more are counted. */
const REPORTED_MAX = 5;

const WALKS = COUNTERS.indexOf("walks");
const ENDED_RCU = COUNTERS.indexOf("endedRcu");
/** Grow when a walk did not stay in rcu mode. */
const LEFT = [
  "endedRef",
  "echildRestarts",
  "estaleRestarts",
  ...COUNTERS.filter((name) => name.startsWith("drop")),
].map((name) => COUNTERS.indexOf(name));

/** The files of cases that the conformance suite has. */
export const TABLES = readdirSync(new URL("../../../threadfs/build/conformance/cases/", import.meta.url))
  .filter((file) => file.endsWith(".js"))
  .sort();

/** What is counted over all instances. */
export class Tally {
  calls = 0;
  /** sysAccess and sysStat: all, answered in rcu mode with success, with an errno. */
  lookups = 0;
  inRcu = 0;
  errnoInRcu = 0;
  /** Over the lookups that rcu mode answered. */
  stores = { slot: 0, scratch: 0, memo: 0, elsewhere: 0 };
  loads = { own: 0, shared: 0 };
  /** Loads of shared memory of each of them. @type {number[]} */
  eachLoads = [];
  /** Rcu parts of walks in all calls, and how they ended. */
  parts = { all: 0, ended: 0, left: 0 };
  partStores = { own: 0, elsewhere: 0 };
  failures = [];
  failed = 0;
  sitesReached = new Set();

  middleOfLoads() {
    return this.eachLoads.toSorted((a, b) => a - b)[this.eachLoads.length >> 1];
  }

  /** The counts by name, for people. */
  explored() {
    const answered = this.inRcu + this.errnoInRcu;
    const each = (n) => (n / answered).toFixed(1);
    return {
      calls: this.calls,
      "lookups seen (sysAccess, sysStat)": this.lookups,
      "answered in rcu mode": `${answered}, ${this.inRcu} with success`,
      "stores to the own slot": this.stores.slot,
      "stores to the own scratch": this.stores.scratch,
      "stores to the own memo": this.stores.memo,
      "stores elsewhere": this.stores.elsewhere,
      "loads of shared memory per such lookup": `${this.middleOfLoads()} in the middle, ${each(this.loads.shared)} on average`,
      "loads of own memory per such lookup": each(this.loads.own),
      "rcu parts of walks, all calls": this.parts.all,
      "of them ended in rcu mode, left for references": `${this.parts.ended}, ${this.parts.left}`,
      "stores in them to own memory, elsewhere": `${this.partStores.own}, ${this.partStores.elsewhere}`,
      "instructions reached": this.sitesReached.size,
    };
  }

  fail(message) {
    this.failed++;
    if (this.failures.length < REPORTED_MAX) this.failures.push({ message });
  }
}

/** Watches one instance of the core. */
class Watch {
  #tally;
  #sites;
  #memory;
  #exports;
  #slot = 0;
  #scratch = 0;
  #memo = 0;
  #words;
  /** Of the present call. */
  #name = "";
  #stores = { slot: 0, scratch: 0, memo: 0, elsewhere: 0 };
  #loads = { own: 0, shared: 0 };
  #foreign = [];
  /** Whether the call is in the rcu part of a walk. */
  #inPart = false;

  constructor(tally, sites, memory, exports) {
    this.#tally = tally;
    this.#sites = sites;
    this.#memory = memory;
    this.#exports = exports;
  }

  get observer() {
    return {
      access: (site, address) => this.#access(this.#sites[site], address >>> 0),
      store: (site, address, low) => this.#write(this.#sites[site], address >>> 0, this.#sites[site].size, low),
      range: (site, to, from, length) => this.#range(this.#sites[site], to >>> 0, from >>> 0, length >>> 0),
      call: (name, run) => this.#call(name, run),
    };
  }

  /** Where the thread's own memory lies; unknown until it has attached, and then nothing is watched yet. */
  #find() {
    if (this.#exports().scratchBase() === 0) return false;
    this.#scratch = this.#exports().scratchBase() >>> 0;
    this.#slot = SLOTS + this.#exports().threadSlot() * SLOT_SIZE;
    this.#words = new Uint32Array(this.#memory.buffer, this.#slot, SLOT_SIZE / 4);
    this.#memo = this.#words[SLOT_PREFIX_CACHE / 4];
    return true;
  }

  /** "slot", "scratch", "memo" or "elsewhere" for all of a range. */
  #region(address, size) {
    if (address >= this.#slot && address + size <= this.#slot + SLOT_SIZE) return "slot";
    if (address >= this.#scratch && address + size <= this.#scratch + SCRATCH.SIZE) return "scratch";
    if (this.#memo !== 0 && address >= this.#memo && address + size <= this.#memo + PREFIX_CACHE_CHUNKS * CHUNK)
      return "memo";
    return "elsewhere";
  }

  #access(site, address) {
    if (this.#slot === 0) return;
    if (site.kind === "load") this.#load(site, address, site.size);
    else if (site.kind !== "size") this.#write(site, address, site.size, 0);
  }

  #load(site, address, size) {
    this.#tally.sitesReached.add(site.id);
    if (this.#region(address, size) === "elsewhere") this.#loads.shared++;
    else this.#loads.own++;
  }

  #range(site, to, from, length) {
    if (this.#slot === 0 || length === 0) return;
    if (site.kind === "copy") this.#load(site, from, length);
    this.#write(site, to, length, 0);
  }

  /** A store, a range, and whatever else is no load: read-modify-write, wake-up, growth. */
  #write(site, address, size, low) {
    if (this.#slot === 0) return;
    const tally = this.#tally;
    tally.sitesReached.add(site.id);
    const region = this.#region(address, size);
    this.#stores[region]++;
    if (region === "elsewhere") this.#foreign.push({ site, address });
    if (region === "slot" && address === this.#slot + SLOT_EPOCH) {
      if (low !== 0 && site.func === "pathInit") {
        this.#inPart = true;
        tally.parts.all++;
      } else if (low === 0 && this.#inPart) {
        this.#inPart = false;
        tally.parts.ended++;
      }
    }
    if (!this.#inPart) return;
    if (region === "scratch" && low & ND_DROPPED && site.line.startsWith("core/vfs/walk/drop.ts:")) {
      this.#inPart = false;
      tally.parts.left++;
    } else if (region === "elsewhere") {
      tally.partStores.elsewhere++;
      tally.fail(`${this.#name}: in the rcu part of a walk: ${describe({ site, address })}`);
    } else {
      tally.partStores.own++;
    }
  }

  #counter(index) {
    return this.#words[SLOT_COUNTERS / 4 + 2 * index];
  }

  #call(name, run) {
    if (
      this.#slot === 0 &&
      (name === "threadAttach" || name === "arenaInit" || name === "arenaCheck" || !this.#find())
    ) {
      return run();
    }
    const tally = this.#tally;
    tally.calls++;
    this.#name = name;
    this.#stores = { slot: 0, scratch: 0, memo: 0, elsewhere: 0 };
    this.#loads = { own: 0, shared: 0 };
    this.#foreign = [];
    this.#inPart = false;
    const before = COUNTERS.map((_, i) => this.#counter(i));
    const value = run();
    if (this.#inPart) tally.fail(`${name}: the read-side section of a walk was not ended`);
    if (name === "threadDetach") {
      this.#slot = 0;
      return value;
    }
    const grown = COUNTERS.map((_, i) => this.#counter(i) - before[i]);
    if ((name === "sysAccess" || name === "sysStat") && grown[WALKS] > 0) this.#judge(name, value, grown);
    return value;
  }

  #judge(name, value, grown) {
    const tally = this.#tally;
    tally.lookups++;
    if (grown[ENDED_RCU] !== 1 || LEFT.some((i) => grown[i] !== 0)) return;
    if (value >= 0) tally.inRcu++;
    else tally.errnoInRcu++;
    for (const region of Object.keys(tally.stores)) tally.stores[region] += this.#stores[region];
    for (const region of Object.keys(tally.loads)) tally.loads[region] += this.#loads[region];
    tally.eachLoads.push(this.#loads.shared);
    if (this.#foreign.length === 0) return;
    tally.fail(`${name} answered ${value} in rcu mode and wrote elsewhere: ${this.#foreign.map(describe).join(", ")}`);
  }
}

function describe({ site, address }) {
  return `${site.op} at ${address} in ${site.func} (${site.line})`;
}

/**
 * Runs the cases of the conformance suite on the interposed core and, to compare, on the plain one.
 * @param {import("../binary/core.js").Core} core
 * @param {{ tables?: string[], tally?: Tally, compare?: boolean, expired?: () => boolean }} options `tables`: the files of cases, default all;
 *   `tally`: counts to add to; `compare`: default true
 * @returns {Promise<{ tally: Tally, cases: number, all: number, differing: string[] }>} `cases` of `all` were run; `differing`: those
 *   that the plain core answered otherwise
 */
export async function measure(
  core,
  { tables = TABLES, tally = new Tally(), compare = true, expired = () => false } = {},
) {
  const restore = interpose(core, (exports, memory) => new Watch(tally, core.sites, memory, exports).observer);
  let watched;
  try {
    watched = await runTables(tables, expired);
  } finally {
    restore();
  }
  const plain = compare ? await runTables(tables, expired) : { outcomes: new Map() };
  const differing = [...plain.outcomes].filter(([name, is]) => (watched.outcomes.get(name) ?? is) !== is);
  return { tally, cases: watched.outcomes.size, all: watched.all, differing: differing.map(([name]) => name) };
}

/** Every case of every table on a tree of its own table; answers the outcomes as text. */
async function runTables(tables, expired) {
  const at = new URL("../../../threadfs/build/conformance/", import.meta.url);
  const { openOurs } = await import(new URL("targets.js", at).href);
  const { runCase } = await import(new URL("run-case.js", at).href);
  const outcomes = new Map();
  let all = 0;
  for (const file of tables) {
    const { default: cases } = await import(new URL(`cases/${file}`, at).href);
    all += cases.length;
    const target = await openOurs("/tmp/threadfs-verify");
    try {
      for (const [id, testCase] of cases.entries()) {
        if (expired()) break;
        outcomes.set(`${file}: ${testCase.name}`, JSON.stringify(runCase(target, testCase, id)));
      }
    } finally {
      target.close();
    }
  }
  return { outcomes, all };
}

/** @type {import("../support/check.js").Run} */
export async function run({ seconds, short = false, log = () => undefined }) {
  const core = shippingCore({ accesses: true });
  const end = performance.now() + 1000 * seconds;
  const tables = short ? ["link.js", "permissions.js"] : TABLES;
  const { tally, cases, all, differing } = await measure(core, { tables, expired: () => performance.now() > end });
  const failures = [...tally.failures];
  for (const name of differing.slice(0, REPORTED_MAX))
    failures.push({ message: `the plain core answers otherwise: ${name}` });
  if (tally.inRcu === 0 || tally.parts.left === 0) failures.push({ message: "nothing was seen, the check is broken" });
  log(`${cases} of ${all} cases of the conformance suite on the instrumented core`);
  return { ok: failures.length === 0, explored: { cases: `${cases} of ${all}`, ...tally.explored() }, failures };
}

export const check = defineCheck({ title, options: {}, run });
