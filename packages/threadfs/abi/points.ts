/**
 * Tracepoints: named places in the core. The debug build reports each one that a thread passes to the host's `point(id,
 * a, b)`; the shipping build has none. Dentries, inodes and mounts are addresses in the shared memory.
 */

/** A walk begins. a: 1 rcu | 2 reval; b: the dentry that it starts at. */
export const WALK_START = 1;
/** A component is next. a: the directory's dentry; b: address of the name, which ends at "/" or NUL. */
export const COMPONENT = 2;
/** A dentry was found. a: dentry; b: its sequence number (0 in ref mode). */
export const FOUND = 3;
/** No dentry was found. a: the directory's dentry; b: 1 if the miss is final (ENOENT without leaving rcu mode). */
export const MISS = 4;
/** A candidate's sequence was read, its name not compared yet. a: dentry; b: sequence. */
export const SEQ_OPENED = 5;
/** The names are equal, the sequence is not checked yet. a: dentry; b: sequence. */
export const COMPARED = 6;
/** The child is known, the parent's sequence is not checked yet. a: parent; b: sequence. */
export const PARENT_CHECK = 7;
/** Down into a mount. a: mount; b: its root dentry. */
export const MOUNT_DOWN = 8;
/** Up out of a mount. a: the mount that is left; b: the mount point's dentry. */
export const MOUNT_UP = 9;
/** "..". a: the dentry; b: its parent. */
export const DOTDOT = 10;
/** Search permission was checked. a: inode; b: the result, 0 or -errno. */
export const PERMISSION = 11;
/** A link's body follows. a: inode; b: address of the body, which ends in NUL. */
export const LINK = 12;
/** The walk leaves rcu mode. a: the reason, see drop.ts; b: dentry. */
export const DROP = 13;
/** The attempt to leave rcu mode has ended. a: 1: references were taken, 0: the walk starts again; b: dentry. */
export const DROPPED = 14;
/** The walk starts again. a: 10 (ECHILD) or 116 (ESTALE). */
export const RESTART = 15;
/**
 * The walk's result. a: 0 or -errno; b: dentry. The mode in which it ended is that of the last DROPPED or WALK_START.
 */
export const ANSWER = 16;
/** Attributes were copied, the sequences are not checked yet. a: inode; b: dentry. */
export const ATTR_COPIED = 17;
/** The last dentry's sequence is about to be checked. a: dentry; b: sequence. */
export const COMPLETE = 18;
/** A lookup under the directory's lock is about to begin. a: the directory's dentry. */
export const LOCKED_LOOKUP = 19;
/** Leaving rcu mode (drop.ts), between two references. a: dentry. */
export const UNLAZY_HALF = 20;
/**
 * A mount point was found, the mount table is not read yet. a: dentry; b: 0 in a walk; 1 in a call that mounts, which has not asked yet
 * whether the place was removed; 2: it has; 3: no mount was found, in a call that is about to remove or rename the name.
 */
export const MOUNT_CHECK = 21;
/** The walk's start was read, its sequence is not checked yet. */
export const START_READ = 22;
/**
 * The length of a candidate's long name was read, its address not yet. a: dentry; b: sequence. In ref mode d_lock is
 * held.
 */
export const NAME_READ = 23;
/** In ref mode: a dentry of the chain is another one, and its `next` is not read yet. a: dentry. */
export const CHAIN_NEXT = 24;
/** A call that does not walk has acquired its context. a: context. */
export const CALL_CONTEXT = 25;
/** A call by descriptor has a reference on its file. a: file. */
export const CALL_FILE = 26;

/** Writers: a dentry's sequence is odd, and the move begins. a: dentry; b: target. */
export const MOVE_BEGIN = 40;
/** The names are exchanged, the parents not yet. */
export const MOVE_NAMES = 41;
/** Everything is exchanged, the sequences are still odd. */
export const MOVE_END = 42;
/** A dentry has left its chain. a: dentry. */
export const DROPPED_HASH = 43;
/** The inode is set, the sequence is still odd. a: dentry; b: inode. */
export const INSTANTIATE = 44;
/** The inode is removed, the sequence is still odd. a: dentry. */
export const UNLINK_INODE = 45;
/** A bucket is being split. a: bucket. */
export const SPLIT = 46;
/** A new dentry was allocated, and is not hashed yet. a: dentry. */
export const ALLOCATED = 47;
/** A dentry is about to be killed. a: dentry. */
export const KILL = 48;
/** A mount is in the table, the mount point is not marked yet. a: mount. */
export const MOUNT_ATTACH = 49;
/** A mount is out of the table. a: mount. */
export const MOUNT_DETACH = 50;
/** A directory's dentry is about to move to another name, with the mutexes that takes. a: dentry of that name; b: the directory's. */
export const UNALIAS = 51;
/** A dentry is the first one of its chain. a: dentry. */
export const HASHED = 52;
/** A name is gone, and the mounts of other namespaces on it are not detached yet. a: dentry. */
export const REMOVED_MOUNTPOINT = 53;
/** A write has its file's lock and knows its position. a: inode; b: bytes to write. */
export const WRITE_BEGIN = 60;
/** A write of more than IO_SIZE bytes has written a part, and more follow. a: inode; b: bytes written. */
export const WRITE_PART = 61;
/** The same for a read. */
export const READ_PART = 62;
/** A read or write of a pipe has copied its bytes, and has not committed them yet. a: inode; b: bytes. */
export const PIPE_COPIED = 63;
/** A read has found a pipe empty and is about to wait, if there is a writer. a: inode; b: value of the word that it waits on. */
export const PIPE_EMPTY = 64;
/** The last close of a pipe has freed a page. a: inode; b: address of its slot. */
export const PIPE_FREED = 65;
/** Another thread is asking a driver for the name, and this one is about to wait for it. a: dentry; b: its directory's. */
export const WAIT_LOOKUP = 66;
/** The file of a descriptor at which a walk in rcu mode starts. a: file; b: 0 before its path is read, 1 after that. */
export const START_FILE = 67;

/** What explains a walk (`vfs.explain()`). A walk in rcu mode has begun. a: the mount sequence; b: the address of its word. */
export const MOUNT_SEQ = 70;
/** The sequence of renames was read. a: its value; b: the address of its word. */
export const RENAME_SEQ = 71;
/** A sequence has moved since it was read. a: the address of its word; b: what was read. */
export const SEQ_CHANGED = 72;
/** The generation numbers of a dentry and of its file system are compared. a: the dentry's; b: the file system's; the low 32 bits. */
export const GENERATION = 73;
/** Who decides on a permission. a: inode; b: CHECK_* (permissions.ts). PERMISSION of the same inode follows. */
export const CHECK = 74;
/** The prefix cache has an entry for bytes of the path. a: their address; b: how many. */
export const PREFIX_ENTRY = 75;
/** A sequence in that entry's chain. a: the address of its word, that is, of the dentry or the inode; b: sequence. */
export const PREFIX_SEQ = 76;
/** The entry is valid. a: the dentry that the walk goes on at; b: its sequence. */
export const PREFIX_FOUND = 77;
/** The name is known not to exist: its dentry is negative. a: dentry. */
export const NEGATIVE = 78;
/** A link cannot be followed in rcu mode. a: inode; b: why: 1 a driver has its body, 2 its time of access has to be updated. */
export const LINK_REF = 79;
/** The access that was asked for at the end of the walk was checked. a: inode; b: the result, 0 or -errno. */
export const ACCESS = 80;
/** The entry of PREFIX_ENTRY is for the walk's context, which may search each directory on the way; not every user may. */
export const PREFIX_CONTEXT = 81;
