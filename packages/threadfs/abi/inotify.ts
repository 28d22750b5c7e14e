/** Events of the log of changes: the bits that inotify(7) has for them. */

export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
export const IN_MOVED_FROM = 0x40;
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_DELETE = 0x200;
export const IN_DELETE_SELF = 0x400;
export const IN_MOVE_SELF = 0x800;
/** The file system has ended: its inodes are no more. */
export const IN_UNMOUNT = 0x2000;
/** The subject is a directory. */
export const IN_ISDIR = 0x40000000;

/**
 * A record of the log in SCRATCH.IO: its position f64 (bytes written before it), its bytes u32, the events u32 (IN_*; 0: a record that only
 * fills), the device number f64, the inode numbers of the directory (0: none) and of the file f64, the cookie that the two parts of a
 * rename share u32, the bytes of the name u32, the name. Records are multiples of CHANGE_ALIGN.
 */
export const CHANGE_BYTES = 8;
export const CHANGE_MASK = 12;
export const CHANGE_DEV = 16;
export const CHANGE_DIR = 24;
export const CHANGE_INO = 32;
export const CHANGE_COOKIE = 40;
export const CHANGE_NAME_LENGTH = 44;
export const CHANGE_NAME = 48;
export const CHANGE_ALIGN = 8;
