/**
 * The format of a snapshot, version 1: a header and blocks of records, all numbers little-endian.
 *
 *   header   "THFSTREE", version u32, 0 u32
 *   block    bytes of its records u32, their CRC-32 u32, records; a record lies in one block
 *   record   type u8, bytes of the rest u32, the rest:
 *
 *     DIRECTORY  attributes, name; of the first one, the root, the name is empty. What is in it follows, then LEAVE
 *     FILE       attributes, size f64, number u32, name; its DATA and XATTRs follow
 *     SYMLINK    attributes, number u32, bytes of the name u8, name, target
 *     SPECIAL    attributes, number u32, name: a FIFO or a socket
 *     DEVICE     attributes, rdev u32, number u32, name
 *     LINK       number u32, name: another name of a file that was numbered
 *     DATA       place in the file f64, bytes. What no DATA covers is a hole
 *     ACL        entries of 8 bytes, as in SCRATCH.IO: of the file, or of the directory before its first entry. Only read: ACLs are written
 *                as the attributes that they are
 *     XATTR      bytes of the name u8, name, value: an extended attribute of the file, link or special file, or of the directory before
 *                its first entry
 *     LEAVE      the directory is complete
 *     END        records of files and directories u32: the last record of all
 *
 *   attributes   mode u32, uid u32, gid u32; atime, mtime, ctime, birthtime: seconds f64 and nanoseconds u32 each
 *
 * A number is 0 for a file with one name. The format describes files, and no memory: a reader makes them by ordinary system calls, so
 * that a hostile snapshot can do nothing but fill its own tree.
 */
import { NAME_MAX, PATH_MAX } from "../../../abi/limits.js";

export const MAGIC: Uint8Array = /* @__PURE__ */ Uint8Array.of(0x54, 0x48, 0x46, 0x53, 0x54, 0x52, 0x45, 0x45);
export const FORMAT_VERSION = 1;
export const HEADER_BYTES = 16;
export const BLOCK_HEADER_BYTES = 8;
export const RECORD_HEADER_BYTES = 5;
export const ATTRIBUTES_BYTES = 60;
/** Bytes of contents in a record. */
export const DATA_MAX = 65536;
/** A block is complete when it has this many bytes; the last record may go beyond it. */
export const BLOCK_BYTES = 262144;
const RECORD_MAX = RECORD_HEADER_BYTES + ATTRIBUTES_BYTES + DATA_MAX + NAME_MAX + PATH_MAX + 16;
/** The most bytes of the records of a block. */
export const BLOCK_MAX = BLOCK_BYTES + RECORD_MAX;

export const RECORD = {
  DIRECTORY: 1,
  FILE: 2,
  SYMLINK: 3,
  SPECIAL: 4,
  LINK: 5,
  DATA: 6,
  ACL: 7,
  XATTR: 8,
  LEAVE: 9,
  END: 10,
  DEVICE: 11,
} as const;

/** A time: seconds since 1970 and nanoseconds. */
export interface FileTime {
  sec: number;
  nsec: number;
}

export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  atime: FileTime;
  mtime: FileTime;
  ctime: FileTime;
  birthtime: FileTime;
}
