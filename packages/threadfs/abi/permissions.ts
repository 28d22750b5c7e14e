/** Numbers of permission checks: access masks, capabilities, tags of ACL entries, all as Linux has them. */

export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

export const CAP_CHOWN = 1 << 0;
export const CAP_DAC_OVERRIDE = 1 << 1;
export const CAP_DAC_READ_SEARCH = 1 << 2;
export const CAP_FOWNER = 1 << 3;
export const CAP_FSETID = 1 << 4;
export const CAP_SETGID = 1 << 6;
export const CAP_SETUID = 1 << 7;
export const CAP_SYS_MODULE = 1 << 16;
export const CAP_SYS_CHROOT = 1 << 18;
export const CAP_SYS_ADMIN = 1 << 21;
export const CAP_MKNOD = 1 << 27;
/** Mean, instead of a mask of capabilities: for uid 0 all that the maker has, for others none; those of the maker. */
export const CAPS_OF_UID = -1;
export const CAPS_OF_MAKER = -2;
/** Means, instead of a new context's umask or its number of groups: those of the maker. For ids it is ID_UNCHANGED. */
export const OF_MAKER = -1;

export const ACL_USER_OBJ = 1;
export const ACL_USER = 2;
export const ACL_GROUP_OBJ = 4;
export const ACL_GROUP = 8;
export const ACL_MASK = 16;
export const ACL_OTHER = 32;

/**
 * The protection of a tree's files in directories that others may write, as bits of one number: arenaInit(). protected_symlinks and
 * protected_hardlinks a bit each, protected_regular and protected_fifos 0 to 2 each.
 */
export const PROTECTED_SYMLINKS = 1;
export const PROTECTED_HARDLINKS = 2;
export const PROTECTED_REGULAR = 0xc;
export const PROTECTED_REGULAR_SHIFT = 2;
export const PROTECTED_FIFOS = 0x30;
export const PROTECTED_FIFOS_SHIFT = 4;
export const PROTECTED_ALL = 0x3f;

/**
 * Who decides on a permission, as the tracepoint CHECK reports it: the mode bits of the owner, of the group, of all others; an ACL in memory;
 * the driver's checkAcl() and permission(); a capability, after another one has refused; the host's security hook, after
 * another one has allowed it.
 */
export const CHECK_OWNER = 1;
export const CHECK_GROUP = 2;
export const CHECK_OTHER = 3;
export const CHECK_ACL = 4;
export const CHECK_DRIVER_ACL = 5;
export const CHECK_DRIVER = 6;
export const CHECK_CAPABILITY = 7;
export const CHECK_SECURITY = 8;
