/** The hooks of a driver, a bit each. The core calls only hooks that exist. */
export const LOOKUP = 1;
export const HASH = 2;
export const COMPARE = 4;
export const REVALIDATE = 8;
export const PERMISSION = 16;
export const CHECK_ACL = 32;
export const READLINK = 64;
export const PUT_LINK = 128;
export const IPUT = 256;
export const READDIR = 512;
export const READ = 1024;
export const WRITE = 2048;
export const CREATE = 4096;
export const UNLINK = 8192;
export const DELETE = 16384;
export const SETATTR = 32768;
/** These hooks are called in rcu mode too. */
export const RCU_PERMISSION = 65536;
export const RCU_CHECK_ACL = 131072;
export const RCU_REVALIDATE = 262144;
export const RCU_READLINK = 524288;
