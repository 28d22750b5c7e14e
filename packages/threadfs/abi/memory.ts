/**
 * Words of the shared memory that both sides read or write, beside the numbers in SCRATCH.STAT: byte offsets. All other parts of
 * the memory are the core's own (core/mem/layout.ts, core/vfs/layout.ts).
 */

/** Version of the memory's layout and of the system calls. A handle of another version is refused. */
export const ABI_VERSION = 3;

/** Salt of the name hash, u64: it tells trees apart. */
export const H_SALT = 1056;

/** The epoch of grace periods. */
export const G_EPOCH = 4608;
/** The sequence of the log of changes: a thread that follows it waits for it to change. */
export const G_CHANGES_SEQ = 6212;
/**
 * Words on which requests for advisory locks wait, u32 each: one for all inodes of a hash. It counts up when a lock of such an inode is
 * released, or lets others in.
 */
export const LOCK_WAITS = 6528;
export const NR_LOCK_WAITS = 64;
/** Words on which threads wait for pipes, u32 each: two for all inodes of a hash, for readers and for writers. Bit 0: a thread may wait. */
export const PIPE_WORDS = 7168;
export const NR_PIPE_WORDS = 128;
/** The bits of a lock's word that hold the number of its owner: the owner's slot plus one, 0: no thread has it for itself. */
export const LOCK_OWNER = 0x3fffffff;

/** The table of drivers: its address, bytes of an entry; in an entry the bytes of the name, and the name. */
export const DRIVERS = 46080;
export const DRIVER_SIZE = 128;
export const DRIVER_NAME_LEN = 24;
export const DRIVER_NAME = 28;

/** Slots of threads: the first, the size of one; in a slot its state and the host's id of its thread (0: none). */
export const SLOTS = 65536;
export const SLOT_SIZE = 2176;
/** How many threads a tree can have at a time. One more is refused with EUSERS. */
export const MAX_THREADS = 256;
export const SLOT_STATE = 64;
export const SLOT_HOST_ID = 68;
/** Bit of the host's id: the thread holds its Web Lock as long as it has a slot, so it has ended if the lock is free. */
export const HOLDS_LOCK = 0x80000000;
/** Flags of a slot's thread (THREAD_*), and the host's ids of the threads that it ends with: the one that made it, and those above. */
export const SLOT_FLAGS = 352;
export const SLOT_ANCESTORS = 356;
export const NR_ANCESTORS = 5;
/** A word that JavaScript writes in its own slot, to tell whether two memory objects are one memory. */
export const SLOT_NONCE = 376;
/** The address of the lock that the thread holds shared, 0: none. */
export const SLOT_SHARED = 380;
/** The id is the one that the host gave the thread, and not one that a program has chosen. */
export const THREAD_OF_HOST = 1;
/** The descriptors that the thread opens are closed when it ends. */
export const THREAD_CLOSES = 2;
/** In a slot, u64: how many threads have left it. A thread's number is its slot plus MAX_THREADS times that. */
export const SLOT_GENERATION = 112;

/**
 * A directory entry in SCRATCH.IO: ino f64, the position behind the entry f64 (d_off), type u8 (DT_*), length of the name u8, the name.
 * The next entry begins at the next multiple of DIRENT_ALIGN.
 */
export const DIRENT_OFF = 8;
export const DIRENT_TYPE = 16;
export const DIRENT_NAME_LENGTH = 17;
export const DIRENT_NAME = 18;
export const DIRENT_ALIGN = 8;

/**
 * An entry of a listing in one call, in SCRATCH.IO: type u8 (DT_*), length of the name u8, 0 u16, and the name between two quotes, a comma
 * and blanks up to a multiple of SCAN_ALIGN, so that the texts of plain names make a list of JSON in any order.
 */
export const SCAN_TYPE = 0;
export const SCAN_NAME_LENGTH = 1;
export const SCAN_TEXT = 4;
export const SCAN_NAME = 5;
export const SCAN_ALIGN = 4;
/** Indices in SCRATCH.STAT after it: 1 if JSON may have all names as they are, else 0; the bytes with which all of them begin. */
export const SCAN_PLAIN = 0;
export const SCAN_COMMON = 1;

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

/** In SCRATCH.IO after fcntl(2) with F_GETLK, float64 each: the fields of struct flock. */
export const FLOCK_TYPE = 0;
export const FLOCK_WHENCE = 8;
export const FLOCK_START = 16;
export const FLOCK_LEN = 24;
export const FLOCK_PID = 32;
/** In SCRATCH.IO of a request that waits for a lock, or of a call that waits for a pipe, u32 each: the address of the word that it waits on, and that word's value. */
export const REQUEST_WORD = 0;
export const REQUEST_SEEN = 4;
/** After these, when a pipe was polled: how many bytes it has, f64. */
export const POLL_BYTES = 8;

/** An ACL entry in SCRATCH.IO: tag u16, permission u16, id u32. */
export const ACL_ENTRY_PERM = 2;
export const ACL_ENTRY_ID = 4;
export const ACL_ENTRY_SIZE = 8;

/** The attributes of a driver's node in SCRATCH.DRIVER: ino, size, mtime (milliseconds) f64, then u32 each. */
export const NODE_INO = 0;
export const NODE_SIZE = 8;
export const NODE_MTIME = 16;
export const NODE_MODE = 24;
export const NODE_UID = 28;
export const NODE_GID = 32;
export const NODE_NLINK = 36;
/** After DRIVER_OP.READDIR, instead of the attributes: the number of the next entry, f64. */
export const READDIR_NEXT = 0;
/** In SCRATCH.DRIVER: the names that belong to an operation, and the body of a link. */
export const DRIVER_NAME1 = 256;
export const DRIVER_NAME2 = 512;
export const DRIVER_BODY = 1024;

/** The attributes that DRIVER_OP.SETATTR changes. */
export const ATTR_MODE = 1;
export const ATTR_OWNER = 2;
export const ATTR_SIZE = 4;
export const ATTR_TIMES = 8;

/**
 * A page of the list of mounts in SCRATCH.IO: how many mounts of the list the call has passed (f64, -1: all), the mount sequence (f64), then the
 * records from MOUNTINFO_FIRST on. A record: number of the mount, of its parent, of the device, and the limits of its file system in pages and
 * inodes (0: none), f64 each; MS_* of the mount and of its propagation, 1 where its file system is read-only, bytes of four texts, u32 each; the numbers of its
 * peer group, of its master's and of the next one above that can be reached (0: none), f64 each; the texts from MOUNTINFO_TEXT on: its root in the file system,
 * where it is, type, source. Records are multiples of MOUNTINFO_ALIGN.
 */
export const MOUNTINFO_SEQ = 8;
export const MOUNTINFO_FIRST = 16;
export const MOUNTINFO_PARENT = 8;
export const MOUNTINFO_DEV = 16;
export const MOUNTINFO_BLOCKS = 24;
export const MOUNTINFO_INODES = 32;
export const MOUNTINFO_FLAGS = 40;
export const MOUNTINFO_READONLY = 44;
export const MOUNTINFO_LENGTHS = 48;
export const MOUNTINFO_SHARED = 64;
export const MOUNTINFO_MASTER = 72;
export const MOUNTINFO_FROM = 80;
export const MOUNTINFO_TEXT = 88;
export const MOUNTINFO_ALIGN = 8;
