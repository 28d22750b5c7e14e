/**
 * The hook that the core calls: first argument of the host's `driverCall`. `src/bridge/driver-table.ts` describes the others.
 */
export const ROOT = 0;
export const LOOKUP = 1;
export const HASH = 2;
export const COMPARE = 3;
export const REVALIDATE = 4;
export const PERMISSION = 5;
export const CHECK_ACL = 6;
export const READLINK = 7;
export const PUT_LINK = 8;
export const IPUT = 9;
export const READDIR = 10;
export const READ = 11;
export const WRITE = 12;
export const CREATE = 13;
export const UNLINK = 14;
export const DELETE = 15;
export const SETATTR = 16;

/** Results of REVALIDATE: the entry is stale, it is valid, it is valid and the node's attributes are in the scratch area. */
export const STALE = 0;
export const REVALIDATED = 1;
export const REFRESHED = 2;
/** Bits of the last argument of REVALIDATE: LOOKUP_REVAL; the walk is in rcu mode, which READLINK is told too. */
export const REVAL = 1;
export const IN_RCU = 2;

/** Results of READLINK from here on: the link leads to the open file of a descriptor of the caller, which is the result less this. */
export const MAGIC_LINK = 0x100000;
