/**
 * `fs.Stats`, `fs.BigIntStats` (https://nodejs.org/api/fs.html#class-fsstats) and the result of `statfs`, from the
 * core's numbers. Prototypes, order and attributes of the properties are Node 26's. Its constructors may be called
 * without `new`, so they are functions here too.
 */
import type * as NodeFs from "node:fs";
import * as STAT from "../../abi/stat.js";
import type { StatNumbers } from "../bridge/attachment.js";
import { bare } from "../errors/bare.js";
import { codedError } from "../errors/errors.js";
import { constants } from "./constants.js";
import { warnOnce } from "./warnings.js";

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK } = constants;
const NS_PER_SEC = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;

/** A `Temporal.Instant`; its type is not in the libraries of every TypeScript. */
export type Instant = object;

/** Node 26's times with nanoseconds. @throws Error ERR_NO_TEMPORAL where the host has no Temporal */
interface Instants {
  atimeInstant: Instant;
  mtimeInstant: Instant;
  ctimeInstant: Instant;
  birthtimeInstant: Instant;
}

/** Attributes of a file as numbers. */
export interface Stats extends NodeFs.Stats, Instants {}

/** Attributes of a file as bigints, with times in nanoseconds as well. */
export interface BigIntStats extends NodeFs.BigIntStats, Instants {}

// The nanoseconds of each time under a second; util.inspect shows these descriptions, as in Node.
const ATIME_NS = /* @__PURE__ */ Symbol("partialAtimeNs");
const MTIME_NS = /* @__PURE__ */ Symbol("partialMtimeNs");
const CTIME_NS = /* @__PURE__ */ Symbol("partialCtimeNs");
const BIRTHTIME_NS = /* @__PURE__ */ Symbol("kPartialBirthtimeNs");

interface PartialNs {
  [ATIME_NS]: number;
  [MTIME_NS]: number;
  [CTIME_NS]: number;
  [BIRTHTIME_NS]: number;
}

type BaseFields<N> = [dev: N, mode: N, nlink: N, uid: N, gid: N, rdev: N, blksize: N, ino: N, size: N, blocks: N];
type TimeSpecs = [
  ...[atimeSec: number, atimeNsec: number, mtimeSec: number, mtimeNsec: number],
  ...[ctimeSec: number, ctimeNsec: number, birthtimeSec: number, birthtimeNsec: number],
];
type Nanoseconds = [atimeNs: bigint, mtimeNs: bigint, ctimeNs: bigint, birthtimeNs: bigint];

/** A constructor that may be called without `new`, on an object that it fills. */
interface Constructor<A extends unknown[], S> {
  new (...fields: A): S;
  (this: object, ...fields: A): void;
  readonly prototype: S;
}

type NumberFields = [...BaseFields<number>, ...TimeSpecs];

/** `fs.Stats`: Node's constructor, with its 18 numbers; deprecated there (DEP0180) and here. */
export type StatsConstructor = Constructor<Partial<NumberFields>, Stats>;

function StatsBase<N extends number | bigint>(
  this: NodeFs.StatsBase<N>,
  dev: N,
  mode: N,
  nlink: N,
  uid: N,
  gid: N,
  rdev: N,
  blksize: N,
  ino: N,
  size: N,
  blocks: N,
): void {
  this.dev = dev;
  this.mode = mode;
  this.nlink = nlink;
  this.uid = uid;
  this.gid = gid;
  this.rdev = rdev;
  this.blksize = blksize;
  this.ino = ino;
  this.size = size;
  this.blocks = blocks;
}

/** The same number. V8 keeps 32-bit integers in the object itself, and every other number in a box of its own. */
function small(value: number): number {
  const integer = value | 0;
  return integer === value ? integer : value;
}

/**
 * Fills an object from the 18 numbers in the order of `abi/stat.ts`, which is also that of the public constructor; `| 0` where a number of the core
 * has at most 31 bits. In one function, and from their array: so V8 compiles it into every `statSync`, which takes a quarter longer where it does not (Node 20).
 */
function NumberStats(this: NodeFs.StatsBase<number> & PartialNs, raw: StatNumbers): void {
  this.dev = small(raw[STAT.dev]);
  this.mode = raw[STAT.mode] | 0;
  this.nlink = raw[STAT.nlink] | 0;
  this.uid = small(raw[STAT.uid]);
  this.gid = small(raw[STAT.gid]);
  this.rdev = small(raw[STAT.rdev]);
  this.blksize = raw[STAT.blksize] | 0;
  this.ino = small(raw[STAT.ino]);
  this.size = small(raw[STAT.size]);
  this.blocks = small(raw[STAT.blocks]);
  this.atimeMs = raw[STAT.atimeSec] * 1000 + raw[STAT.atimeNsec] / 1e6;
  this.mtimeMs = raw[STAT.mtimeSec] * 1000 + raw[STAT.mtimeNsec] / 1e6;
  this.ctimeMs = raw[STAT.ctimeSec] * 1000 + raw[STAT.ctimeNsec] / 1e6;
  this.birthtimeMs = raw[STAT.birthtimeSec] * 1000 + raw[STAT.birthtimeNsec] / 1e6;
  this[ATIME_NS] = raw[STAT.atimeNsec] | 0;
  this[MTIME_NS] = raw[STAT.mtimeNsec] | 0;
  this[CTIME_NS] = raw[STAT.ctimeNsec] | 0;
  this[BIRTHTIME_NS] = raw[STAT.birthtimeNsec] | 0;
}

function BigStats(
  this: NodeFs.BigIntStats,
  ...[dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks, atimeNs, mtimeNs, ctimeNs, birthtimeNs]: [
    ...BaseFields<bigint>,
    ...Nanoseconds,
  ]
): void {
  StatsBase.call(this, dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks);
  this.atimeMs = atimeNs / NS_PER_MS;
  this.mtimeMs = mtimeNs / NS_PER_MS;
  this.ctimeMs = ctimeNs / NS_PER_MS;
  this.birthtimeMs = birthtimeNs / NS_PER_MS;
  this.atimeNs = atimeNs;
  this.mtimeNs = mtimeNs;
  this.ctimeNs = ctimeNs;
  this.birthtimeNs = birthtimeNs;
}

type Kind = "isDirectory" | "isFile" | "isBlockDevice" | "isCharacterDevice" | "isSymbolicLink" | "isFIFO" | "isSocket";

/** The methods in the order in which Node lists them. */
const KINDS: readonly [Kind, number][] = [
  ["isDirectory", S_IFDIR],
  ["isFile", S_IFREG],
  ["isBlockDevice", S_IFBLK],
  ["isCharacterDevice", S_IFCHR],
  ["isSymbolicLink", S_IFLNK],
  ["isFIFO", S_IFIFO],
  ["isSocket", S_IFSOCK],
];

const MOMENTS = ["atime", "mtime", "ctime", "birthtime"] as const;
type Moment = (typeof MOMENTS)[number];

function keep(stats: object, name: string, value: unknown): unknown {
  Object.defineProperty(stats, name, bare({ value, enumerable: true, writable: true, configurable: true }));
  return value;
}

/**
 * Defines a property whose value is made when it is first read, and kept, as Node does: most callers never read it.
 */
function defineLazy<S extends object>(prototype: S, name: string, make: (stats: S) => unknown): void {
  const accessors: PropertyDescriptor & ThisType<S> = {
    enumerable: true,
    configurable: true,
    get() {
      return keep(this, name, make(this));
    },
    set(value: unknown) {
      keep(this, name, value);
    },
  };
  Object.defineProperty(prototype, name, bare(accessors));
}

/** @throws Error ERR_NO_TEMPORAL */
function instant(nanoseconds: () => bigint): Instant {
  const { Temporal } = globalThis as { Temporal?: { Instant: new (nanoseconds: bigint) => Instant } };
  if (Temporal === undefined) {
    throw codedError(Error, "ERR_NO_TEMPORAL", "Temporal is not supported in this environment");
  }
  return new Temporal.Instant(nanoseconds());
}

type CheckMode<N> = { mode: N; _checkModeProperty(type: number): boolean };

/** Makes the prototype of one of the two classes. */
function derive<N extends number | bigint, S extends NodeFs.StatsBase<N>>(
  make: { prototype: object },
  hasType: (mode: N, type: number) => boolean,
  nanoseconds: (stats: S, moment: Moment) => bigint,
): void {
  Object.setPrototypeOf(make, StatsBase);
  Object.setPrototypeOf(make.prototype, StatsBase.prototype);
  // Rounded, because a time with a fraction of a millisecond may be just below the one that was set.
  for (const moment of MOMENTS) {
    defineLazy<S>(make.prototype as S, moment, (stats) => new Date(Math.round(Number(stats[`${moment}Ms`]))));
  }
  for (const moment of MOMENTS) {
    defineLazy<S>(make.prototype as S, `${moment}Instant`, (stats) => instant(() => nanoseconds(stats, moment)));
  }
  (make.prototype as CheckMode<N>)._checkModeProperty = function (this: CheckMode<N>, type) {
    return hasType(this.mode, type);
  };
}

/** How many arguments the public constructor has, and the properties that NumberStats() would make integers of. */
const NUMBERS = 18;
const AS_GIVEN: readonly [key: PropertyKey, index: number][] = [
  ["mode", STAT.mode],
  ["nlink", STAT.nlink],
  ["blksize", STAT.blksize],
  [ATIME_NS, STAT.atimeNsec],
  [MTIME_NS, STAT.mtimeNsec],
  [CTIME_NS, STAT.ctimeNsec],
  [BIRTHTIME_NS, STAT.birthtimeNsec],
];

const PARTIAL = { atime: ATIME_NS, mtime: MTIME_NS, ctime: CTIME_NS, birthtime: BIRTHTIME_NS } as const;

function makeClasses() {
  const base = StatsBase.prototype as Record<Kind, () => boolean>;
  for (const [kind, type] of KINDS) {
    base[kind] = function (this: CheckMode<number>) {
      return this._checkModeProperty(type);
    };
  }
  derive<number, Stats & PartialNs>(
    NumberStats,
    (mode, type) => (mode & S_IFMT) === type,
    (stats, moment) => BigInt(Math.floor(stats[`${moment}Ms`] / 1000)) * NS_PER_SEC + BigInt(stats[PARTIAL[moment]]),
  );
  derive<bigint, BigIntStats>(
    BigStats,
    (mode, type) => (mode & BigInt(S_IFMT)) === BigInt(type),
    (stats, moment) => stats[`${moment}Ns`],
  );
  Object.defineProperty(NumberStats, "name", bare({ value: "Stats" }));
  Object.defineProperty(BigStats, "name", bare({ value: "BigIntStats" }));
  /** The public constructor, which Node has deprecated: results of calls are made by the inner one. */
  function deprecated(this: unknown, ...fields: NumberFields): unknown {
    warnOnce("fs.Stats constructor is deprecated.", "DeprecationWarning", "DEP0180");
    const stats: object = new.target ? Reflect.construct(NumberStats, [fields], new.target) : (this as object);
    if (!new.target) Reflect.apply(NumberStats, stats, [fields]);
    // Of whatever type they are.
    for (const [key, n] of AS_GIVEN) Reflect.set(stats, key, fields[n]);
    return new.target ? stats : undefined;
  }
  Object.setPrototypeOf(deprecated, NumberStats);
  Object.defineProperty(deprecated, "length", bare({ value: NUMBERS }));
  deprecated.prototype = NumberStats.prototype;
  return {
    NumberStats: NumberStats as unknown as new (raw: StatNumbers) => Stats,
    BigStats: BigStats as unknown as new (...fields: [...BaseFields<bigint>, ...Nanoseconds]) => BigIntStats,
    Stats: deprecated as unknown as StatsConstructor,
  };
}

const classes = /* @__PURE__ */ makeClasses();
const Numbers = classes.NumberStats;
const BigInts = classes.BigStats;

/** `fs.Stats`. */
export const Stats: StatsConstructor = classes.Stats;

/** The core's 18 numbers (`abi/stat.ts`) as Stats. */
export function statsOf(raw: StatNumbers): Stats {
  return new Numbers(raw);
}

function nanoseconds(sec: number, nsec: number): bigint {
  return BigInt(sec) * NS_PER_SEC + BigInt(nsec);
}

/** The core's 18 numbers (`abi/stat.ts`) as BigIntStats. */
export function bigIntStatsOf(raw: StatNumbers): BigIntStats {
  return new BigInts(
    BigInt(raw[STAT.dev]),
    BigInt(raw[STAT.mode]),
    BigInt(raw[STAT.nlink]),
    BigInt(raw[STAT.uid]),
    BigInt(raw[STAT.gid]),
    BigInt(raw[STAT.rdev]),
    BigInt(raw[STAT.blksize]),
    BigInt(raw[STAT.ino]),
    BigInt(raw[STAT.size]),
    BigInt(raw[STAT.blocks]),
    nanoseconds(raw[STAT.atimeSec], raw[STAT.atimeNsec]),
    nanoseconds(raw[STAT.mtimeSec], raw[STAT.mtimeNsec]),
    nanoseconds(raw[STAT.ctimeSec], raw[STAT.ctimeNsec]),
    nanoseconds(raw[STAT.birthtimeSec], raw[STAT.birthtimeNsec]),
  );
}
