/** The calls that operations are made of, in short. Those that build a tree too are in trees.ts. */
import { O_RDWR, RENAME_EXCHANGE, UTIME_OMIT } from "../../../threadfs/dist/abi/abi.js";
import type { ProgramCall, ResultReference } from "../model/call.js";

type More = { nofollow?: boolean; empty?: boolean; ctx?: number; dirfd?: number | ResultReference };

export const stat = (path: string, more: More = {}): ProgramCall => ({ call: "sysStat", path, ...more });
export const access = (path: string, mode: number, ctx = 0): ProgramCall => ({ call: "sysAccess", path, mode, ctx });
export const rename = (path: string, path2: string, flags = 0, ctx = 0): ProgramCall => ({
  call: "sysRename",
  path,
  path2,
  flags,
  ctx,
});
export const exchange = (path: string, path2: string): ProgramCall => rename(path, path2, RENAME_EXCHANGE);
export const unlink = (path: string, ctx = 0): ProgramCall => ({ call: "sysUnlink", path, ctx });
export const rmdir = (path: string, ctx = 0): ProgramCall => ({ call: "sysUnlink", path, removedir: true, ctx });
export const umount = (path: string, flags = 0): ProgramCall => ({ call: "sysUmount", path, flags });
export const truncate = (path: string, size: number, ctx = 0): ProgramCall => ({
  call: "sysTruncate",
  path,
  size,
  ctx,
});
export const readlink = (path: string): ProgramCall => ({ call: "sysReadlink", path });
export const realpath = (path: string, ctx = 0): ProgramCall => ({ call: "sysRealpath", path, ctx });
export const getcwd = (ctx: number): ProgramCall => ({ call: "sysGetcwd", ctx });
export const chdir = (path: string, ctx: number): ProgramCall => ({ call: "sysChdir", path, ctx });
export const chroot = (path: string, ctx: number): ProgramCall => ({ call: "sysChroot", path, ctx });
export const getdents = (fd: number | ResultReference): ProgramCall => ({ call: "sysGetdents", fd });
export const scandir = (path: string): ProgramCall => ({ call: "sysScandir", path });
export const read = (fd: number): ProgramCall => ({ call: "sysRead", fd, offset: 0, n: 100 });
export const write = (fd: number, data: string, offset = 0): ProgramCall => ({ call: "sysWrite", fd, offset, data });
export const fstat = (fd: number | ResultReference, ctx = 0): ProgramCall => ({ call: "sysFstat", fd, ctx });
export const close = (fd: number): ProgramCall => ({ call: "sysClose", fd });
const openTagged = (path: string, tag: number): ProgramCall => ({
  ...{ call: "sysOpenat2", path, flags: O_RDWR, resolve: 0, tag },
});
const closeTagged = (tag: number): ProgramCall => ({ call: "sysCloseTagged", tag });
/** An open file that a thread can tell from later ones of its descriptor. */
export const TAGGED: ProgramCall[][] = [
  [openTagged("/d/f", 7), closeTagged(7)],
  [openTagged("/d/f", 8), { call: "sysClose", fd: { of: 0 } }, closeTagged(8)],
  [closeTagged(9)],
];
export const shrink: ProgramCall = { call: "shrink", count: 100 };
export const copy: ProgramCall = { call: "arenaCopy" };
export const MTIME = { atime: { sec: 0, nsec: UTIME_OMIT }, mtime: { sec: 5, nsec: 0 } };
