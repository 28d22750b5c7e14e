/** Attributes of files as WASI has them: types, filestat, times, flags. */
import { O_APPEND, O_NONBLOCK, UTIME_NOW, UTIME_OMIT } from "../../abi/flags.js";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../abi/mode.js";
import * as STAT from "../../abi/stat.js";
import type { StatNumbers } from "../bridge/attachment.js";
import type { Memory } from "./memory.js";
import { FDFLAG, FILETYPE, FSTFLAG } from "./preview1.js";

/** Linux's numbers, which no option of the library has a name for. */
const O_DSYNC = 0o10000;
const O_SYNC = 0o4010000;

/** The type of a file by its mode. WASI has none for a pipe, and programs know it by that. */
export function filetypeOf(mode: number): number {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FILETYPE.REGULAR_FILE;
    case S_IFDIR:
      return FILETYPE.DIRECTORY;
    case S_IFLNK:
      return FILETYPE.SYMBOLIC_LINK;
    case S_IFCHR:
      return FILETYPE.CHARACTER_DEVICE;
    case S_IFBLK:
      return FILETYPE.BLOCK_DEVICE;
    case S_IFSOCK:
      return FILETYPE.SOCKET_STREAM;
    default:
      return FILETYPE.UNKNOWN;
  }
}

/** Writes a filestat of the attributes that were read last. The caller has checked the address. */
export function putFilestat(memory: Memory, at: number, stat: StatNumbers): void {
  memory.setU64(at, stat[STAT.dev]);
  memory.setU64(at + 8, stat[STAT.ino]);
  memory.setU64(at + 16, filetypeOf(stat[STAT.mode]));
  memory.setU64(at + 24, stat[STAT.nlink]);
  memory.setU64(at + 32, stat[STAT.size]);
  memory.setTime(at + 40, stat[STAT.atimeSec], stat[STAT.atimeNsec]);
  memory.setTime(at + 48, stat[STAT.mtimeSec], stat[STAT.mtimeNsec]);
  memory.setTime(at + 56, stat[STAT.ctimeSec], stat[STAT.ctimeNsec]);
}

const SECOND = 1_000_000_000n;

/** A time of a call as seconds and nanoseconds. */
function timeOf(flags: number, set: number, now: number, time: bigint): [seconds: number, nanoseconds: number] {
  if (flags & now) return [0, UTIME_NOW];
  if (!(flags & set)) return [0, UTIME_OMIT];
  const unsigned = BigInt.asUintN(64, time);
  return [Number(unsigned / SECOND), Number(unsigned % SECOND)];
}

/** The times of fd_filestat_set_times as utimensat(2) has them; undefined: flags that exclude each other, or are not known. */
export function timesOf(atim: bigint, mtim: bigint, flags: number): [number, number, number, number] | undefined {
  const all = FSTFLAG.ATIM | FSTFLAG.ATIM_NOW | FSTFLAG.MTIM | FSTFLAG.MTIM_NOW;
  const both = (a: number, b: number) => (flags & a) !== 0 && (flags & b) !== 0;
  if (flags & ~all || both(FSTFLAG.ATIM, FSTFLAG.ATIM_NOW) || both(FSTFLAG.MTIM, FSTFLAG.MTIM_NOW)) return undefined;
  return [
    ...timeOf(flags, FSTFLAG.ATIM, FSTFLAG.ATIM_NOW, atim),
    ...timeOf(flags, FSTFLAG.MTIM, FSTFLAG.MTIM_NOW, mtim),
  ];
}

/** Flags of open(2) for those of a descriptor. */
export function openFlagsOf(fdflags: number): number {
  let flags = 0;
  if (fdflags & FDFLAG.APPEND) flags |= O_APPEND;
  if (fdflags & FDFLAG.NONBLOCK) flags |= O_NONBLOCK;
  if (fdflags & FDFLAG.DSYNC) flags |= O_DSYNC;
  if (fdflags & (FDFLAG.RSYNC | FDFLAG.SYNC)) flags |= O_SYNC;
  return flags;
}

/** The other way round. */
export function fdflagsOf(flags: number): number {
  let fdflags = 0;
  if (flags & O_APPEND) fdflags |= FDFLAG.APPEND;
  if (flags & O_NONBLOCK) fdflags |= FDFLAG.NONBLOCK;
  if ((flags & O_SYNC) === O_SYNC) fdflags |= FDFLAG.SYNC | FDFLAG.RSYNC | FDFLAG.DSYNC;
  else if (flags & O_DSYNC) fdflags |= FDFLAG.DSYNC;
  return fdflags;
}
