/**
 * The state of one walk (Linux: struct nameidata), in the calling thread's scratch area. No other thread ever sees it.
 *
 * In rcu mode (LOOKUP_RCU) the pairs (mnt, dentry) and (rootMnt, root) are pointers without references. They are valid
 * while the sequences read with them are unchanged: `seq` for dentry, `rootSeq` for root, `mSeq` for all mounts. In ref
 * mode each is a reference. `inode` is always a validated copy of dentry's inode.
 *
 * Functions that take the walk's state leave their second results in it: `err`, `endDentry`, `putDentry`, `putInode`.
 */

import * as limits from "../../../abi/limits";
import { corrupt } from "../../mem/bounds";
import { scratch } from "../../mem/thread";
import { Dentry } from "../dcache/dentry";
import { Inode } from "../inode/inode";
import { S_ND, S_ND2 } from "../layout";
import { Mount } from "../mount/namespace";
import { Context } from "../task/cred";

export const LOOKUP_FOLLOW: u32 = 1;
export const LOOKUP_DIRECTORY: u32 = 2;
export const LOOKUP_PARENT: u32 = 0x10;
export const LOOKUP_REVAL: u32 = 0x20;
export const LOOKUP_RCU: u32 = 0x40;
export const LOOKUP_OPEN: u32 = 0x100;
export const LOOKUP_CREATE: u32 = 0x200;
export const LOOKUP_EXCL: u32 = 0x400;
export const LOOKUP_NO_SYMLINKS: u32 = 0x10000;
export const LOOKUP_NO_MAGICLINKS: u32 = 0x20000;
export const LOOKUP_NO_XDEV: u32 = 0x40000;
/** The walk's root is where it starts: what leads out of it is an error, or stays in it. */
export const LOOKUP_BENEATH: u32 = 0x80000;
export const LOOKUP_IN_ROOT: u32 = 0x100000;
/** The walk ends in rcu mode, or with -EAGAIN. */
export const LOOKUP_CACHED: u32 = 0x200000;
/** The same for all walks of a context, whose root is the context's. */
export const LOOKUP_CONTEXT_BENEATH: u32 = 0x400000;
/** ".." stays where it is in a directory that the context's root is no ancestor of. */
export const LOOKUP_CONTEXT_IN_ROOT: u32 = 0x800000;
/** A walk of its own call's root. */
export const LOOKUP_IS_SCOPED: u32 = LOOKUP_BENEATH | LOOKUP_IN_ROOT;
/** What leads out of the walk's root is an error. */
export const LOOKUP_IS_BENEATH: u32 = LOOKUP_BENEATH | LOOKUP_CONTEXT_BENEATH;
/** Whatever is renamed meanwhile, the walk ends below its root. */
export const LOOKUP_IS_FENCED: u32 = LOOKUP_IS_SCOPED | LOOKUP_CONTEXT_BENEATH;

/** Links, mounts or ".." have another meaning for such a walk than for one without them. */
export const LOOKUP_HAS_LIMITS: u32 =
  LOOKUP_IS_FENCED | LOOKUP_CONTEXT_IN_ROOT | LOOKUP_NO_SYMLINKS | LOOKUP_NO_MAGICLINKS | LOOKUP_NO_XDEV;

export const LAST_NORM: u32 = 0;
export const LAST_ROOT: u32 = 1;
export const LAST_DOT: u32 = 2;
export const LAST_DOTDOT: u32 = 3;

/**
 * Bits of `state`. The walk has its own reference on root; the last component was a jump ("/", ".", ".." or a link to
 * them).
 */
export const ND_ROOT_GRABBED: u32 = 1;
export const ND_JUMPED: u32 = 2;
/** The walk has crossed a mount point: its result depends on the mount sequence. */
export const ND_MOUNTS: u32 = 4;
/** The walk has left rcu mode. */
export const ND_DROPPED: u32 = 8;
/** This open has created the file (Linux: FMODE_CREATED). Its creator needs no permission to open it. */
export const ND_CREATED: u32 = 16;
/** The last component of the whole path is walked: a link there may need the permission to be followed. */
export const ND_TRAILING: u32 = 32;
/** A rename, or a change of mounts, may have led the walk out of its root: with -EAGAIN. */
export const ND_RACED: u32 = 64;
/** The prefix cache has the directory of this walk's path, or will have it at the next walk, so that no part of the way there need be in it. */
export const ND_PREFIX: u32 = 128;

export const MAXSYMLINKS: u32 = limits.MAXSYMLINKS;
const PENDING_MAX: u32 = 12;
/** Where the pending references and the link stack are, behind the fields, and the size of the whole. */
const ND_PENDING: u32 = 144;
const ND_LINKS: u32 = 192;
export const NAMEIDATA_SIZE: u32 = ND_LINKS + (MAXSYMLINKS << 4);

@unmanaged
export class Nameidata {
  ctx_: u32;
  mnt_: u32;
  dentry_: u32;
  inode_: u32;
  seq: u32;
  nextSeq: u32;
  mSeq: u32;
  rootSeq: u32;
  rootMnt_: u32;
  root_: u32;
  flags: u32;
  state: u32;
  lastRaw: u64;
  last: u32;
  lastLen: u32;
  lastType: u32;
  depth: u32;
  links: u32;
  /** The path, its length in bytes, and the descriptor that it is relative to. */
  name: u32;
  nameLen: u32;
  dirfd: i32;
  /** Where the next step leads, before the walk steps into it. */
  pMnt_: u32;
  pDentry_: u32;
  /** Body of the link to follow next. */
  body: u32;
  /** References taken by an attempt to leave rcu mode, which may still fail. */
  pending: u32;
  /** The number of the context, which each attempt finds again: pathInit(). */
  ctxNumber: f64;
  /** -errno of a function that returned a null dentry or super block. 0 after lookupFast(): look in the file system. */
  err: i32;
  /** The dentry at which the last attempt ended: a number to report, not a reference. */
  endDentry: u32;
  /** References that a rename leaves for its caller to put when no lock is held. */
  putDentry_: u32;
  putInode_: u32;
  /** LOOKUP_* bits that the call asks for beside those of its walk: openat2(2). */
  how: u32;
  /** The rename sequence at the beginning of a walk that stays below its root. */
  rSeq: u32;
  /** Where the copy of the next link's body goes (link-body.ts). */
  bodies: u32;
  unused140: u32;
  // Followed by 12 x u32 pending references (odd: mounts), and the link stack, 40 x 16 bytes.

  /** The context that pathInit() has found. Precondition: it has. */
  get ctx(): Context {
    if (this.ctx_ == 0) corrupt(changetype<usize>(this));
    return changetype<Context>(<usize>this.ctx_);
  }
  get mnt(): Mount {
    return changetype<Mount>(<usize>this.mnt_);
  }
  set mnt(m: Mount) {
    this.mnt_ = <u32>changetype<usize>(m);
  }
  get dentry(): Dentry {
    return changetype<Dentry>(<usize>this.dentry_);
  }
  set dentry(d: Dentry) {
    this.dentry_ = <u32>changetype<usize>(d);
  }
  get inode(): Inode {
    return changetype<Inode>(<usize>this.inode_);
  }
  set inode(i: Inode) {
    this.inode_ = <u32>changetype<usize>(i);
  }
  get rootMnt(): Mount {
    return changetype<Mount>(<usize>this.rootMnt_);
  }
  set rootMnt(m: Mount) {
    this.rootMnt_ = <u32>changetype<usize>(m);
  }
  get root(): Dentry {
    return changetype<Dentry>(<usize>this.root_);
  }
  set root(d: Dentry) {
    this.root_ = <u32>changetype<usize>(d);
  }
  get pMnt(): Mount {
    return changetype<Mount>(<usize>this.pMnt_);
  }
  set pMnt(m: Mount) {
    this.pMnt_ = <u32>changetype<usize>(m);
  }
  get pDentry(): Dentry {
    return changetype<Dentry>(<usize>this.pDentry_);
  }
  set pDentry(d: Dentry) {
    this.pDentry_ = <u32>changetype<usize>(d);
  }
  get putDentry(): Dentry {
    return changetype<Dentry>(<usize>this.putDentry_);
  }
  set putDentry(d: Dentry) {
    this.putDentry_ = <u32>changetype<usize>(d);
  }
  get putInode(): Inode {
    return changetype<Inode>(<usize>this.putInode_);
  }
  set putInode(i: Inode) {
    this.putInode_ = <u32>changetype<usize>(i);
  }
  get rcu(): bool {
    return (this.flags & LOOKUP_RCU) != 0;
  }

  pendingAt(n: u32): usize {
    return changetype<usize>(this) + ND_PENDING + (n << 2);
  }
  addPending(ref: u32): void {
    if (this.pending < PENDING_MAX) store<u32>(this.pendingAt(this.pending++), ref);
  }
  /**
   * An entry of the link stack: 0 mnt, 4 dentry, 8 body to free after use (0: none), 12 where the path continues. Of a link
   * that was followed in rcu mode: the end of the copy of its body, 0, the copy (`bodies` before it), where the path continues.
   */
  linkAt(n: u32): usize {
    return changetype<usize>(this) + ND_LINKS + (n << 4);
  }
}

/** The thread's walk state; `second`: that of a call's second path. */
export function nameidata(second: bool): Nameidata {
  return changetype<Nameidata>(scratch + (second ? S_ND2 : S_ND));
}
