/** pipe2(2), and the size of a pipe: F_GETPIPE_SZ and F_SETPIPE_SZ of fcntl(2). */
import { EBADF, EBUSY, EINVAL, ENOSPC, EPERM } from "../../../abi/errno";
import { O_NONBLOCK, O_RDONLY, O_WRONLY } from "../../../abi/flags";
import { PIPE_MAX_SIZE } from "../../../abi/limits";
import { S_IFIFO } from "../../../abi/mode";
import * as SCRATCH from "../../../abi/scratch";
import { kfreeAt, slabFree } from "../../mem/alloc/slab";
import { mutexLock, mutexUnlock, txBegin, txEnd } from "../../mem/lock/lock";
import { scratch } from "../../mem/thread";
import { put32, removePendingBlock } from "../../mem/undo/log";
import { dAlloc } from "../dcache/d-alloc";
import { dget, dInstantiate, dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { getUnusedFd, putUnusedFd } from "../file/fdtable";
import {
  File,
  FMODE_PIPE,
  FMODE_READ,
  FMODE_WRITE,
  fdInstallPair,
  fget,
  fileSetPath,
  fput,
  getEmptyFilp,
  getEmptyFilpErr,
} from "../file/file";
import { discardInode, newInode } from "../inode/icache";
import { I_PIPE, Inode } from "../inode/inode";
import { G_ROOT_MNT } from "../layout";
import { Mount, mntget } from "../mount/namespace";
import { happened } from "../recovery/outcome";
import { kmallocSpace } from "../recovery/space";
import { Context } from "../task/cred";
import { openPipe, PIPE_PAGE, Pipe, pipeOpen, SLOT_SHIFT } from "./pipe";
import { changed, wake, writersWord } from "./wait";

/** The bits by which the second descriptor is shifted in the result of doPipe(). */
const FD_SHIFT: i32 = 16;

/** "|": the name of a pipe without a name, which as in Linux cannot be looked up. */
const BAR: u8 = 124;

/**
 * do_pipe2(): `flags` 0 or O_NONBLOCK. Returns the descriptor to read from, and the one to write to in the upper 16 bits; -EINVAL, -EMFILE, -ENFILE, -ENOSPC, or -EBADF: the context has
 * been closed.
 */
export function doPipe(c: Context, flags: u32): i32 {
  if (flags & ~(<u32>O_NONBLOCK)) return -EINVAL;
  const f = getEmptyFilp();
  if (!f) return getEmptyFilpErr;
  const f2 = getEmptyFilp();
  let err = f2 ? createPipe(c, f, f2, flags) : getEmptyFilpErr;
  const fd = err == 0 ? getUnusedFd(c, false) : err;
  const fd2 = fd < 0 ? fd : getUnusedFd(c, false);
  if (fd2 < 0) {
    if (fd >= 0) putUnusedFd(c, fd);
    err = fd2;
  } else if (fdInstallPair(c, fd, f, fd2, f2)) {
    const result = fd | (fd2 << FD_SHIFT);
    happened(result);
    return result;
  } else err = -EBADF;
  if (f2) fput(f2);
  fput(f);
  return err;
}

/** create_pipe_files(): makes two files the ends of a new pipe. Its inode belongs to the file system at the root of the tree. */
function createPipe(c: Context, f: File, f2: File, flags: u32): i32 {
  const m = changetype<Mount>(<usize>load<u32>(G_ROOT_MNT));
  const root = m.root;
  const name = scratch + SCRATCH.PATH2;
  store<u8>(name, BAR);
  const d = dAlloc(root, name, 1, (<u64>1) << 32);
  if (!d) return -ENOSPC;
  const i = newInode(root.sb, S_IFIFO | I_PIPE | 0x180, c.uid, c.gid);
  if (!i) {
    dput(d);
    return -ENOSPC;
  }
  i.nlink = 1;
  let err = openEnd(f, m, d, i, O_RDONLY | flags, FMODE_READ);
  if (err != 0) discardInode(i);
  else {
    dInstantiate(d, i);
    err = openEnd(f2, m, d, i, O_WRONLY | flags, FMODE_WRITE);
  }
  dput(d);
  return err;
}

/** Makes a file an end. It takes references of its own. */
function openEnd(f: File, m: Mount, d: Dentry, i: Inode, flags: u32, mode: u32): i32 {
  const err = pipeOpen(i, mode == FMODE_READ, mode == FMODE_WRITE, flags, false);
  if (err != 0) return err;
  fileSetPath(f, mntget(m), dget(d), i, flags, mode | FMODE_PIPE);
  return 0;
}

// ------------------------------------------------------------------------------------------------- the size

/** pipe_fcntl(): `size` < 0: F_GETPIPE_SZ, else F_SETPIPE_SZ. Returns the size, -EBADF for what is no pipe, -EINVAL, -EPERM, -EBUSY or -ENOSPC. */
export function doPipeSize(c: Context, fd: i32, size: f64): i32 {
  const f = fget(c, fd);
  if (!f) return -EBADF;
  let r = -EBADF;
  if (f.mode & FMODE_PIPE) {
    const i = f.inode;
    const p = openPipe(i);
    mutexLock(i.mutex);
    r = size < 0 ? 0 : setSize(i, p, size);
    if (r == 0) r = p.ringSize * PIPE_PAGE;
    happened(r);
    mutexUnlock(i.mutex);
  }
  fput(f);
  return r;
}

/** pipe_set_size(): rounded up to a power of two, a page at least. Under i_mutex. 0 or -errno. */
function setSize(i: Inode, p: Pipe, size: f64): i32 {
  if (!(size <= 2147483648.0)) return -EINVAL;
  if (size > <f64>PIPE_MAX_SIZE) return -EPERM;
  const pages = size <= <f64>PIPE_PAGE ? 1 : (<u32>size + PIPE_PAGE - 1) / PIPE_PAGE;
  const slots: u32 = pages == 1 ? 1 : 1 << (32 - clz<u32>(pages - 1));
  if (slots == p.ringSize) return 0;
  if (slots < p.occupancy) return -EBUSY;
  const ring = kmallocSpace(max<u32>(slots << SLOT_SHIFT, 16));
  return ring == 0 ? -ENOSPC : resizeRing(i, p, ring, slots);
}

/** pipe_resize_ring(): pages without bytes are freed first. */
function resizeRing(i: Inode, p: Pipe, ring: usize, slots: u32): i32 {
  const n = p.occupancy;
  const tail = p.tail;
  for (let k = n; k < p.ringSize; k++) kfreeAt(p.slotAt(tail + k));
  memory.fill(ring, 0, slots << SLOT_SHIFT);
  for (let k: u32 = 0; k < n; k++) store<u64>(ring + (k << SLOT_SHIFT), load<u64>(p.slotAt(tail + k)));
  const old = load<u32>(p.bufsAt);
  txBegin();
  // pipeFree() of another thread looks at these only when no file is open.
  put32(p.bufsAt, <u32>ring);
  removePendingBlock(ring);
  p.ringSize = slots;
  p.head = n;
  p.tail = 0;
  slabFree(old);
  const woken = changed(writersWord(i));
  txEnd();
  if (woken) wake(writersWord(i));
  return 0;
}
