/**
 * Is the rcu-walk free of stores to memory that other threads read? The whole conformance suite runs on the instrumented shipping core,
 * and the address of every store and read-modify-write is checked.
 *
 *   a call of sysAccess or sysStat that ended in rcu mode   may write to the calling thread's slot and scratch, nothing else
 *   the rcu part of a walk in any call                      the same: from the store that opens the walk's read-side section to the
 *                                                           one that ends it, or to where the walk announces that it leaves rcu mode
 *
 * The core's own counters say that a call ended in rcu mode: endedRcu has grown by one, and none of the drops and restarts. A walk
 * announces that it leaves rcu mode by ND_DROPPED in its nameidata (note() in core/vfs/walk/drop.ts), before it takes the first reference.
 */
import { readdirSync } from "node:fs";
import { COUNTERS, SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import {
  CHUNK,
  G_PREFIX_CHUNKS,
  ND_DROPPED,
  SLOT_COUNTERS,
  SLOT_EPOCH,
  SLOT_PREFIX_CACHE,
  SLOT_SIZE,
  SLOTS,
} from "../arena/layout.js";
import { type Core, shippingCore } from "../binary/core.js";
import type { Site } from "../binary/instrument.js";
import { type Functions, interpose, type Observer } from "../binary/interpose.js";
import { defineCheck, endOfRun, type Failure, nothingChecked, type Outcome, type RunInput } from "../support/check.js";
import { defined } from "../support/defined.js";

const title = "an rcu-walk stores to its own thread's slot, scratch area and prefix cache only";

/** Failures that are listed; the rest are counted. */
const REPORTED_MAX = 5;

const NAMES: readonly string[] = COUNTERS;
const WALKS = COUNTERS.indexOf("walks");
const ENDED_RCU = COUNTERS.indexOf("endedRcu");
/** The counters that grow when a walk does not stay in rcu mode. */
const LEFT = [
  "endedRef",
  "echildRestarts",
  "estaleRestarts",
  ...COUNTERS.filter((name) => name.startsWith("drop")),
].map((name) => NAMES.indexOf(name));

/** The files with the cases of the conformance suite. */
export const TABLES = readdirSync(new URL("../../../threadfs/build/conformance/cases/", import.meta.url))
  .filter((file) => file.endsWith(".js"))
  .sort();

/** Where an access lies: in memory of the calling thread, or elsewhere. */
type Region = "slot" | "scratch" | "prefixCache" | "elsewhere";
type Stores = Record<Region, number>;
const REGIONS: Region[] = ["slot", "scratch", "prefixCache", "elsewhere"];
/** A store to memory that is not the thread's own. */
interface Foreign {
  site: Site;
  address: number;
}
const noStores = (): Stores => ({ slot: 0, scratch: 0, prefixCache: 0, elsewhere: 0 });

/** Counts over all instances. */
export class Tally {
  calls = 0;
  /** Calls of sysAccess and sysStat: all, ended in rcu mode with success, with an errno. */
  lookups = 0;
  inRcu = 0;
  errnoInRcu = 0;
  /** Of the lookups that ended in rcu mode. */
  stores = noStores();
  loads = { own: 0, shared: 0 };
  /** Loads of shared memory of each of them. */
  readonly eachLoads: number[] = [];
  /** Rcu parts of walks in all calls, and how they ended. */
  parts = { all: 0, ended: 0, left: 0 };
  partStores = { own: 0, elsewhere: 0 };
  readonly failures: Failure[] = [];
  failed = 0;
  readonly sitesReached = new Set<number>();

  /** The median. */
  middleOfLoads(): number {
    return this.eachLoads.toSorted((a, b) => a - b)[this.eachLoads.length >> 1] ?? 0;
  }

  /** The counts by name, for the report. */
  explored(): Outcome["explored"] {
    const ended = this.inRcu + this.errnoInRcu;
    const each = (n: number) => (n / ended).toFixed(1);
    return {
      calls: this.calls,
      "lookups seen (sysAccess, sysStat)": this.lookups,
      "ended in rcu mode": `${ended}, ${this.inRcu} with success`,
      "stores to the own slot": this.stores.slot,
      "stores to the own scratch": this.stores.scratch,
      "stores to the own prefix cache": this.stores.prefixCache,
      "stores elsewhere": this.stores.elsewhere,
      "loads of shared memory per such lookup": `${this.middleOfLoads()} in the middle, ${each(this.loads.shared)} on average`,
      "loads of own memory per such lookup": each(this.loads.own),
      "rcu parts of walks, all calls": this.parts.all,
      "of them ended in rcu mode, left for references": `${this.parts.ended}, ${this.parts.left}`,
      "stores in them to own memory, elsewhere": `${this.partStores.own}, ${this.partStores.elsewhere}`,
      "instructions reached": this.sitesReached.size,
    };
  }

  fail(message: string): void {
    this.failed++;
    if (this.failures.length < REPORTED_MAX) this.failures.push({ message });
  }
}

/** Observes one instance of the core. */
class Watch {
  readonly #tally: Tally;
  readonly #sites: Site[];
  readonly #memory: WebAssembly.Memory;
  readonly #exports: () => Functions;
  #slot = 0;
  #scratch = 0;
  #prefixCache = 0;
  #prefixCacheSize = 0;
  #words = new Uint32Array(0);
  /** Of the present call. */
  #name = "";
  #stores = noStores();
  #loads = { own: 0, shared: 0 };
  #foreign: Foreign[] = [];
  /** Whether the call is in the rcu part of a walk. */
  #inPart = false;

  constructor(tally: Tally, sites: Site[], memory: WebAssembly.Memory, exports: () => Functions) {
    this.#tally = tally;
    this.#sites = sites;
    this.#memory = memory;
    this.#exports = exports;
  }

  get observer(): Observer {
    const siteOf = (site: number): Site => defined(this.#sites[site], `site ${site}`);
    return {
      access: (site, address) => this.#access(siteOf(site), address >>> 0),
      store: (site, address, low) => this.#write(siteOf(site), address >>> 0, siteOf(site).size, low),
      range: (site, to, from, length) => this.#range(siteOf(site), to >>> 0, from >>> 0, length >>> 0),
      call: (name, run) => this.#call(name, run),
    };
  }

  /** Calls an export of the instance that is not observed. */
  #ask(name: string): number {
    return defined(this.#exports()[name], name)();
  }

  /** Finds the thread's own memory. False: the thread has not attached yet, and is not observed. */
  #find(): boolean {
    if (this.#ask("scratchBase") === 0) return false;
    this.#scratch = this.#ask("scratchBase") >>> 0;
    this.#slot = SLOTS + this.#ask("threadSlot") * SLOT_SIZE;
    this.#words = new Uint32Array(this.#memory.buffer, this.#slot, SLOT_SIZE / 4);
    this.#prefixCache = this.#words[SLOT_PREFIX_CACHE / 4] ?? 0;
    this.#prefixCacheSize = (new Uint32Array(this.#memory.buffer, G_PREFIX_CHUNKS, 1)[0] ?? 0) * CHUNK;
    return true;
  }

  /** The region that has all of a range. */
  #region(address: number, size: number): Region {
    if (address >= this.#slot && address + size <= this.#slot + SLOT_SIZE) return "slot";
    if (address >= this.#scratch && address + size <= this.#scratch + SCRATCH.SIZE) return "scratch";
    if (
      this.#prefixCache !== 0 &&
      address >= this.#prefixCache &&
      address + size <= this.#prefixCache + this.#prefixCacheSize
    )
      return "prefixCache";
    return "elsewhere";
  }

  #access(site: Site, address: number): void {
    if (this.#slot === 0) return;
    if (site.kind === "load") this.#load(site, address, site.size);
    else if (site.kind !== "size") this.#write(site, address, site.size, 0);
  }

  #load(site: Site, address: number, size: number): void {
    this.#tally.sitesReached.add(site.id);
    if (this.#region(address, size) === "elsewhere") this.#loads.shared++;
    else this.#loads.own++;
  }

  #range(site: Site, to: number, from: number, length: number): void {
    if (this.#slot === 0 || length === 0) return;
    if (site.kind === "copy") this.#load(site, from, length);
    this.#write(site, to, length, 0);
  }

  /** An access that is no load: a store, a range, a read-modify-write, a wake-up, a growth. */
  #write(site: Site, address: number, size: number, low: number): void {
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

  #counter(index: number): number {
    return this.#words[SLOT_COUNTERS / 4 + 2 * index] ?? 0;
  }

  #call(name: string, run: () => number): number {
    if (
      this.#slot === 0 &&
      (name === "threadAttach" || name === "arenaInit" || name === "arenaCheck" || !this.#find())
    ) {
      return run();
    }
    const tally = this.#tally;
    tally.calls++;
    this.#name = name;
    this.#stores = noStores();
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
    const grown = before.map((count, i) => this.#counter(i) - count);
    if ((name === "sysAccess" || name === "sysStat") && (grown[WALKS] ?? 0) > 0) this.#judge(name, value, grown);
    return value;
  }

  #judge(name: string, value: number, grown: number[]): void {
    const tally = this.#tally;
    tally.lookups++;
    if (grown[ENDED_RCU] !== 1 || LEFT.some((i) => grown[i] !== 0)) return;
    if (value >= 0) tally.inRcu++;
    else tally.errnoInRcu++;
    for (const region of REGIONS) tally.stores[region] += this.#stores[region];
    tally.loads.own += this.#loads.own;
    tally.loads.shared += this.#loads.shared;
    tally.eachLoads.push(this.#loads.shared);
    if (this.#foreign.length === 0) return;
    tally.fail(`${name} returned ${value} in rcu mode and wrote elsewhere: ${this.#foreign.map(describe).join(", ")}`);
  }
}

function describe({ site, address }: Foreign): string {
  return `${site.op} at ${address} in ${site.func} (${site.line})`;
}

export interface MeasureOptions {
  /** The files with cases, default all. */
  tables?: string[];
  /** Counts to add to. */
  tally?: Tally;
  /** Whether the cases run on the plain core too, default true. */
  compare?: boolean;
  expired?: () => boolean;
}

export interface Measured {
  tally: Tally;
  /** How many of all cases were run. */
  cases: number;
  all: number;
  /** The cases with another outcome on the plain core. */
  differing: string[];
}

/** Runs the cases of the conformance suite on the interposed core and, to compare, on the plain one. */
export async function measure(
  core: Core,
  { tables = TABLES, tally = new Tally(), compare = true, expired = () => false }: MeasureOptions = {},
): Promise<Measured> {
  const restore = interpose(core, (exports, memory) => new Watch(tally, core.sites, memory, exports).observer);
  let watched: Outcomes;
  try {
    watched = await runTables(tables, expired);
  } finally {
    restore();
  }
  const plain = compare ? await runTables(tables, expired) : { outcomes: new Map<string, string>() };
  const differing = [...plain.outcomes].filter(([name, is]) => (watched.outcomes.get(name) ?? is) !== is);
  return { tally, cases: watched.outcomes.size, all: watched.all, differing: differing.map(([name]) => name) };
}

/** The outcomes of cases as text, and how many cases there are. */
interface Outcomes {
  outcomes: Map<string, string>;
  all: number;
}

/**
 * The modules of the conformance suite, as far as they are used here. The suite builds after this package, so that its types cannot be
 * imported.
 */
interface Suite {
  openOurs(root: string): Promise<{ close(): void }>;
  runCase(target: { close(): void }, testCase: { name: string }, id: number): unknown;
  default: { name: string }[];
}

/** Runs every case of each table on a tree of the table. */
async function runTables(tables: string[], expired: () => boolean): Promise<Outcomes> {
  const suite = async (file: string): Promise<Suite> =>
    import(new URL(`../../../threadfs/build/conformance/${file}`, import.meta.url).href);
  const { openOurs } = await suite("support/targets.js");
  const { runCase } = await suite("support/run-case.js");
  const outcomes = new Map<string, string>();
  let all = 0;
  for (const file of tables) {
    const { default: cases } = await suite(`cases/${file}`);
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

export async function run(options: RunInput): Promise<Outcome> {
  const { seconds, short = false, log = () => undefined } = options;
  const core = shippingCore({ accesses: true });
  const end = endOfRun(options);
  const tables = short ? ["link.js", "permissions.js"] : TABLES;
  const { tally, cases, all, differing } = await measure(core, { tables, expired: () => performance.now() > end });
  const failures = [...tally.failures];
  for (const name of differing.slice(0, REPORTED_MAX))
    failures.push({ message: `the plain core has another outcome: ${name}` });
  if (cases === 0) failures.push(nothingChecked(seconds));
  // A run that ends before all cases need not come to a walk of each kind.
  else if (cases === all && (tally.inRcu === 0 || tally.parts.left === 0))
    failures.push({ message: "nothing was seen, the check is broken" });
  log(`${cases} of ${all} cases of the conformance suite on the instrumented core`);
  return { ok: failures.length === 0, explored: { cases: `${cases} of ${all}`, ...tally.explored() }, failures };
}

export const check = defineCheck({ title, options: {}, run });
