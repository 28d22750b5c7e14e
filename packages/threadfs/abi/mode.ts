/** Bits of a file's mode, by Linux's numbers, and the types of directory entries, which are made of them. */

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;
export const S_IXGRP = 0o010;
export const S_IWOTH = 0o002;

/** A DT_ number is the type bits of a mode, shifted by this. */
export const DT_SHIFT = 12;
/** The file system does not tell. */
export const DT_UNKNOWN = 0;
export const DT_FIFO = S_IFIFO >> DT_SHIFT;
export const DT_CHR = S_IFCHR >> DT_SHIFT;
export const DT_DIR = S_IFDIR >> DT_SHIFT;
export const DT_BLK = S_IFBLK >> DT_SHIFT;
export const DT_REG = S_IFREG >> DT_SHIFT;
export const DT_LNK = S_IFLNK >> DT_SHIFT;
export const DT_SOCK = S_IFSOCK >> DT_SHIFT;

export const S_IWGRP = 0o020;
