/** Attributes of files as `wasi:filesystem` has them: types, times, hashes. */
import { UTIME_NOW, UTIME_OMIT } from "../../../abi/flags.js";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../../abi/mode.js";
import * as STAT from "../../../abi/stat.js";
import type { StatNumbers } from "../../bridge/attachment.js";
import type { Datetime, DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue, NewTimestamp } from "./types.js";

/** The type of a file by its mode. */
export function typeOf(mode: number): DescriptorType {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "regular-file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symbolic-link";
    case S_IFIFO:
      return "fifo";
    case S_IFCHR:
      return "character-device";
    case S_IFBLK:
      return "block-device";
    case S_IFSOCK:
      return "socket";
    default:
      return "unknown";
  }
}

type TimeName = "dataAccessTimestamp" | "dataModificationTimestamp" | "statusChangeTimestamp";

/** A time as a member of a stat; none before 1970. */
function time(name: TimeName, seconds: number, nanoseconds: number): Partial<Record<TimeName, Datetime>> {
  return seconds < 0 ? {} : { [name]: { seconds: BigInt(seconds), nanoseconds } };
}

/** The attributes that were read last. */
export function statOf(stat: StatNumbers): DescriptorStat {
  return {
    type: typeOf(stat[STAT.mode]),
    linkCount: BigInt(stat[STAT.nlink]),
    size: BigInt(stat[STAT.size]),
    ...time("dataAccessTimestamp", stat[STAT.atimeSec], stat[STAT.atimeNsec]),
    ...time("dataModificationTimestamp", stat[STAT.mtimeSec], stat[STAT.mtimeNsec]),
    ...time("statusChangeTimestamp", stat[STAT.ctimeSec], stat[STAT.ctimeNsec]),
  };
}

const NANOSECONDS = 1_000_000_000;

/** A time of a call as utimensat(2) has it. @throws ErrorCode "overflow" for one that a file cannot have; "invalid" */
export function timeOf(timestamp: NewTimestamp): [seconds: number, nanoseconds: number] {
  if (timestamp.tag === "now") return [0, UTIME_NOW];
  if (timestamp.tag !== "timestamp") return [0, UTIME_OMIT];
  const { seconds, nanoseconds } = timestamp.val;
  if (seconds > BigInt(Number.MAX_SAFE_INTEGER)) throw "overflow" satisfies ErrorCode;
  if (!(nanoseconds >= 0 && nanoseconds < NANOSECONDS)) throw "invalid" satisfies ErrorCode;
  return [Number(seconds), nanoseconds];
}

/** Mixes the bits of 64 so that each depends on all; no two numbers have the same result (the finalizer of SplitMix64). */
function mix(value: bigint): bigint {
  const one = BigInt.asUintN(64, (value ^ (value >> 30n)) * 0xbf58476d1ce4e5b9n);
  const two = BigInt.asUintN(64, (one ^ (one >> 27n)) * 0x94d049bb133111ebn);
  return two ^ (two >> 31n);
}

const DEVICE_SHIFT = 44n;

/**
 * The hash of the attributes that were read last. Its lower half says which file it is alone, as a C library makes the number of the inode of it; its upper half changes with
 * the size and the time of the last modification.
 */
export function hashOf(stat: StatNumbers): MetadataHashValue {
  const file = BigInt.asUintN(64, BigInt(stat[STAT.ino]) ^ (BigInt(stat[STAT.dev]) << DEVICE_SHIFT));
  const changes = [stat[STAT.mtimeSec], stat[STAT.mtimeNsec], stat[STAT.size]];
  return {
    lower: mix(file),
    upper: changes.reduce((hash, value) => mix(BigInt.asUintN(64, hash + BigInt(value) + 1n)), mix(file + 1n)),
  };
}
