/** The protection of a tree's files in directories that others may write, as bits of one number: arenaInit(). */

/** protected_symlinks, protected_hardlinks: a bit each. */
export const PROTECTED_SYMLINKS = 1;
export const PROTECTED_HARDLINKS = 2;
/** protected_regular, protected_fifos: 0 to 2 each. */
export const PROTECTED_REGULAR = 0xc;
export const PROTECTED_REGULAR_SHIFT = 2;
export const PROTECTED_FIFOS = 0x30;
export const PROTECTED_FIFOS_SHIFT = 4;
/** All of them. */
export const PROTECTED_ALL = 0x3f;
