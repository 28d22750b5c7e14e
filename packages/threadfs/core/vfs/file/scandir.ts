/**
 * open(2), getdents(2) until the end, and close(2) of a directory in memory, in one call and without a descriptor, as libuv's scandir
 * makes them. The directory's i_mutex is held shared from the first entry to the last: the entries are those of one moment, and threads that
 * list it too, or look names up, go on. A driver's directory is only opened: the call returns the descriptor, and the caller goes on with that.
 */

import { O_DIRECTORY, O_RDONLY } from "../../../abi/flags";
import { IO_SIZE, NAME_MAX } from "../../../abi/limits";
import { SCAN_ALIGN, SCAN_COMMON, SCAN_NAME, SCAN_PLAIN, SCAN_TEXT } from "../../../abi/memory";
import { DT_DIR, DT_LNK, DT_REG, DT_SHIFT } from "../../../abi/mode";
import * as SCRATCH from "../../../abi/scratch";
import * as host from "../../host";
import { corrupt } from "../../mem/bounds";
import { ONES, oddBytes } from "../../mem/hash";
import { mutexLockShared, mutexUnlockShared } from "../../mem/lock/rwsem";
import { scratch } from "../../mem/thread";
import { firstEntry, nextEntry } from "../dcache/d-children";
import { D_DIRECTORY, D_REGULAR, D_SYMLINK, Dentry, dentryName } from "../dcache/dentry";
import { touchAtime } from "../inode/atime";
import { I_DEAD } from "../inode/inode";
import { happened } from "../recovery/outcome";
import { enterActive } from "../recovery/quiescence";
import { Nameidata } from "../walk/nameidata";
import { mayOpen, openPlain, putRest } from "./open";
import { opened } from "./whole-file";

const FLAGS: u32 = O_RDONLY | O_DIRECTORY;

/**
 * Fills SCRATCH.IO with whole entries; each time that it is full the host's copyToUser() takes them. Returns the bytes of all entries, of
 * which the last ones are still there, -errno, or OPENED less a descriptor. SCRATCH.STAT says what all names
 * have in common (SCAN_PLAIN, SCAN_COMMON).
 */
export function doScandir(nd: Nameidata): i32 {
  enterActive();
  let r = openPlain(nd, FLAGS);
  if (r != 0) return r;
  r = mayOpen(nd, FLAGS);
  if (r == 0) r = nd.inode.sb.driver != 0 ? opened(nd, FLAGS) : scanWhole(nd);
  putRest(nd);
  return r;
}

function scanWhole(nd: Nameidata): i32 {
  const dir = nd.inode;
  let r: i32 = 0;
  mutexLockShared(dir.mutex);
  // A directory that was removed meanwhile has no entries: readdir(3) hides getdents' ENOENT.
  if (!(dir.mode & I_DEAD)) {
    r = scanChildren(nd.dentry);
    if (r >= 0) touchAtime(nd.mnt, dir);
  }
  if (r >= 0) happened(r);
  mutexUnlockShared(dir.mutex);
  return r;
}

/** Under i_mutex, also where the host copies: what has a name keeps it until the last entry. */
function scanChildren(parent: Dentry): i32 {
  const to = scratch + SCRATCH.IO;
  let taken: u32 = 0;
  let used: u32 = 0;
  let before: u64 = 0;
  scanOdd = 0;
  scanFirst = 0;
  scanCommon = 0;
  let d = firstEntry(parent);
  while (d) {
    // Cookies are strictly increasing; anything else is corruption.
    if (d.cookie <= before) corrupt(d.at);
    before = d.cookie;
    if (used > <u32>IO_SIZE - ENTRY_MAX) {
      const err = host.copyToUser(to, taken, used);
      if (err < 0) return err;
      taken += used;
      used = 0;
    }
    used += putScanned(to + used, d);
    d = nextEntry(parent, d);
  }
  store<f64>(scratch + SCRATCH.STAT + (SCAN_PLAIN << 3), scanOdd == 0 ? 1 : 0);
  store<f64>(scratch + SCRATCH.STAT + (SCAN_COMMON << 3), scanCommon);
  return taken + used;
}

/** More than an entry takes, and than what putScanned() writes behind it. */
const ENTRY_MAX: u32 = 512;

/** What the scan has found in all names so far: odd bytes, the first name, and how many bytes all of them have in common with that. */
let scanOdd: u64 = 0;
let scanFirst: usize = 0;
let scanCommon: u32 = 0;

/** Writes an entry, a word at a time, which may go up to 8 bytes beyond it. Returns its bytes. */
function putScanned(to: usize, d: Dentry): u32 {
  const len = d.nameLen;
  if (len == 0 || len > <u32>NAME_MAX) corrupt(d.at);
  const name = dentryName(d);
  store<u32>(to, direntType(d) | (len << 8));
  store<u8>(to + SCAN_TEXT, 0x22);
  if (scanFirst == 0) {
    scanFirst = name;
    scanCommon = len;
  }
  for (let i: u32 = 0; i < len; i += 8) {
    const w = load<u64>(name + i);
    store<u64>(to + SCAN_NAME + i, w);
    const left = len - i;
    // What is behind the name counts as "a".
    const mask = left < 8 ? ~(~(<u64>0) << (left << 3)) : ~(<u64>0);
    scanOdd |= oddBytes((w & mask) | ((ONES * 0x61) & ~mask));
    if (i < scanCommon) {
      const other = (w ^ load<u64>(scanFirst + i)) & mask;
      if (other != 0) scanCommon = min<u32>(scanCommon, i + (<u32>ctz<u64>(other) >> 3));
    }
  }
  if (len < scanCommon) scanCommon = len;
  // A quote, a comma, and as many blanks as there may be.
  const end = to + SCAN_NAME + len;
  store<u32>(end, 0x20202c22);
  store<u8>(end + 4, 0x20);
  return (SCAN_NAME + len + 2 + SCAN_ALIGN - 1) & ~(SCAN_ALIGN - 1);
}

/** DT_* of an entry, from the dentry's flags but for what is special. */
function direntType(d: Dentry): u32 {
  const type = d.type;
  if (type == D_REGULAR) return DT_REG;
  if (type == D_DIRECTORY) return DT_DIR;
  return type == D_SYMLINK ? DT_LNK : d.inode.type >> DT_SHIFT;
}
