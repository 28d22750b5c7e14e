/** `fs.Stats` and `fs.BigIntStats` (https://nodejs.org/api/fs.html#class-fsstats), from the core's stat numbers. */
import type * as NodeFs from "node:fs";
import * as STAT from "../../abi/stat.js";
import type { StatNumbers } from "../bridge/attachment.js";
import { constants } from "./constants.js";

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK } = constants;
const NS_PER_SEC = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;

type Moment = "atime" | "mtime" | "ctime" | "birthtime";

/** Creates the Date when it is first read, and keeps it, as Node does: most callers never read it. */
function keepDate(stats: object, name: Moment, ms: number | bigint): Date {
  // Rounded, because a time with a fraction of a millisecond may be just below the one that was set.
  const date = new Date(Math.round(Number(ms)));
  setDate(stats, name, date);
  return date;
}

function setDate(stats: object, name: Moment, value: unknown): void {
  Object.defineProperty(stats, name, { value, enumerable: true, writable: true, configurable: true });
}

/** The part that both classes share: file types and dates. */
abstract class AnyStats<N extends number | bigint> {
  declare mode: N;
  declare atimeMs: N;
  declare mtimeMs: N;
  declare ctimeMs: N;
  declare birthtimeMs: N;

  isFile(): boolean {
    return (Number(this.mode) & S_IFMT) === S_IFREG;
  }
  isDirectory(): boolean {
    return (Number(this.mode) & S_IFMT) === S_IFDIR;
  }
  isSymbolicLink(): boolean {
    return (Number(this.mode) & S_IFMT) === S_IFLNK;
  }
  isBlockDevice(): boolean {
    return (Number(this.mode) & S_IFMT) === S_IFBLK;
  }
  isCharacterDevice(): boolean {
    return (Number(this.mode) & S_IFMT) === S_IFCHR;
  }
  isFIFO(): boolean {
    return (Number(this.mode) & S_IFMT) === S_IFIFO;
  }
  isSocket(): boolean {
    return (Number(this.mode) & S_IFMT) === S_IFSOCK;
  }

  get atime(): Date {
    return keepDate(this, "atime", this.atimeMs);
  }
  set atime(value: Date) {
    setDate(this, "atime", value);
  }
  get mtime(): Date {
    return keepDate(this, "mtime", this.mtimeMs);
  }
  set mtime(value: Date) {
    setDate(this, "mtime", value);
  }
  get ctime(): Date {
    return keepDate(this, "ctime", this.ctimeMs);
  }
  set ctime(value: Date) {
    setDate(this, "ctime", value);
  }
  get birthtime(): Date {
    return keepDate(this, "birthtime", this.birthtimeMs);
  }
  set birthtime(value: Date) {
    setDate(this, "birthtime", value);
  }
}

/** Attributes of a file as numbers. */
export class Stats extends AnyStats<number> implements NodeFs.Stats {
  declare dev: number;
  declare nlink: number;
  declare uid: number;
  declare gid: number;
  declare rdev: number;
  declare blksize: number;
  declare ino: number;
  declare size: number;
  declare blocks: number;

  /** @param raw the core's 18 stat numbers, see `STAT` in abi.ts */
  constructor(raw: StatNumbers) {
    super();
    this.dev = raw[STAT.dev];
    this.mode = raw[STAT.mode];
    this.nlink = raw[STAT.nlink];
    this.uid = raw[STAT.uid];
    this.gid = raw[STAT.gid];
    this.rdev = raw[STAT.rdev];
    this.blksize = raw[STAT.blksize];
    this.ino = raw[STAT.ino];
    this.size = raw[STAT.size];
    this.blocks = raw[STAT.blocks];
    this.atimeMs = raw[STAT.atimeSec] * 1000 + raw[STAT.atimeNsec] / 1e6;
    this.mtimeMs = raw[STAT.mtimeSec] * 1000 + raw[STAT.mtimeNsec] / 1e6;
    this.ctimeMs = raw[STAT.ctimeSec] * 1000 + raw[STAT.ctimeNsec] / 1e6;
    this.birthtimeMs = raw[STAT.birthtimeSec] * 1000 + raw[STAT.birthtimeNsec] / 1e6;
  }
}

function nanoseconds(sec: number, nsec: number): bigint {
  return BigInt(sec) * NS_PER_SEC + BigInt(nsec);
}

/** Attributes of a file as bigints, with times in nanoseconds as well. */
export class BigIntStats extends AnyStats<bigint> implements NodeFs.BigIntStats {
  declare dev: bigint;
  declare nlink: bigint;
  declare uid: bigint;
  declare gid: bigint;
  declare rdev: bigint;
  declare blksize: bigint;
  declare ino: bigint;
  declare size: bigint;
  declare blocks: bigint;
  declare atimeNs: bigint;
  declare mtimeNs: bigint;
  declare ctimeNs: bigint;
  declare birthtimeNs: bigint;

  /** @param raw the core's 18 stat numbers, see `STAT` in abi.ts */
  constructor(raw: StatNumbers) {
    super();
    this.dev = BigInt(raw[STAT.dev]);
    this.mode = BigInt(raw[STAT.mode]);
    this.nlink = BigInt(raw[STAT.nlink]);
    this.uid = BigInt(raw[STAT.uid]);
    this.gid = BigInt(raw[STAT.gid]);
    this.rdev = BigInt(raw[STAT.rdev]);
    this.blksize = BigInt(raw[STAT.blksize]);
    this.ino = BigInt(raw[STAT.ino]);
    this.size = BigInt(raw[STAT.size]);
    this.blocks = BigInt(raw[STAT.blocks]);
    const atimeNs = nanoseconds(raw[STAT.atimeSec], raw[STAT.atimeNsec]);
    const mtimeNs = nanoseconds(raw[STAT.mtimeSec], raw[STAT.mtimeNsec]);
    const ctimeNs = nanoseconds(raw[STAT.ctimeSec], raw[STAT.ctimeNsec]);
    const birthtimeNs = nanoseconds(raw[STAT.birthtimeSec], raw[STAT.birthtimeNsec]);
    this.atimeMs = atimeNs / NS_PER_MS;
    this.mtimeMs = mtimeNs / NS_PER_MS;
    this.ctimeMs = ctimeNs / NS_PER_MS;
    this.birthtimeMs = birthtimeNs / NS_PER_MS;
    this.atimeNs = atimeNs;
    this.mtimeNs = mtimeNs;
    this.ctimeNs = ctimeNs;
    this.birthtimeNs = birthtimeNs;
  }
}
