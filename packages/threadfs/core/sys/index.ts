/**
 * The system-call table: every function that the core exports. A call takes numbers and returns a number >= 0 or a negative errno.
 * Paths, structures and contents travel through the calling thread's scratch area (abi/scratch.ts).
 *
 * Parameters of the same name mean the same everywhere: `ctx` is the number of a context (credentials, root, working directory,
 * umask, descriptors), a float64, 0 the tree's own; `dirfd` a descriptor or AT_FDCWD; `len` and `len2` are the byte lengths of the paths in
 * SCRATCH.PATH and SCRATCH.PATH2. A path with a NUL inside is -EINVAL.
 */
export { arenaCheck, arenaInit } from "./arena/arena";
export { arenaCopy } from "./arena/copy";
export { shrink, synchronizeRcu } from "./arena/reclaim";
export {
  sysChmod,
  sysChown,
  sysFchmod,
  sysFchown,
  sysFutimens,
  sysGetacl,
  sysSetacl,
  sysUtimens,
} from "./attr";
export { changesFollow, changesLeave, changesPosition, changesRead } from "./changes";
export {
  contextAttach,
  contextClose,
  contextCreate,
  contextDestroy,
  contextKeep,
  contextList,
  sysChdir,
  sysChroot,
  sysGetcwd,
  sysUmask,
} from "./context";
export { sumCounters } from "./counters";
export {
  sysClose,
  sysCloseTagged,
  sysCopyFileRange,
  sysFallocate,
  sysFileFlags,
  sysFstat,
  sysFsync,
  sysFtruncate,
  sysGetdents,
  sysLseek,
  sysPoll,
  sysRead,
  sysReadDirect,
  sysWrite,
} from "./descriptor";
export { lockCancel, lockRequest, lockRequestRange, lockRetry, sysFcntlLock, sysFlock } from "./locks";
export {
  driverRegister,
  driverUnregister,
  sysInvalidate,
  sysMount,
  sysMountNew,
  sysMounts,
  sysPivotRoot,
  sysRemount,
  sysUmount,
} from "./mount";
export {
  sysAccess,
  sysLink,
  sysMkdir,
  sysMknod,
  sysOpen,
  sysOpenAny,
  sysOpenat2,
  sysOpenTagged,
  sysReadFile,
  sysReadlink,
  sysRealpath,
  sysRename,
  sysScandir,
  sysStat,
  sysStatfs,
  sysStatx,
  sysSymlink,
  sysTruncate,
  sysUnlink,
  sysWalk,
  sysWriteFile,
} from "./path";
export { pipeLeft, sysFifoCancel, sysFifoWait, sysPipe, sysPipeSize } from "./pipe";
export { callOutcome, threadAbandon, threadDied, threadRecover } from "./recovery";
export {
  hostHooks,
  scratchBase,
  threadAttach,
  threadDetach,
  threadFamily,
  threadFind,
  threadNumber,
  threadResume,
  threadShare,
  threadSlot,
  threadTakeOver,
  waitLimit,
  walkMode,
} from "./thread";
export { sysGetxattr, sysListxattr, sysRemovexattr, sysSetxattr } from "./xattr";
