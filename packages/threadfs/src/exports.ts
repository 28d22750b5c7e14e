/** What both entries export besides `createVfs` and `loadCore`, which differ in where the core comes from. */
export { COUNTERS, type CounterName } from "../abi/abi.js";
export { ABI_VERSION, MAX_THREADS } from "../abi/memory.js";
export { ACL_TAG, type AclEntry, type AclOptions } from "./api/acl.js";
export { type AttachOptions, attachVfs } from "./api/attach.js";
export type { CacheOptions } from "./api/caches.js";
export type { Context, ContextInfo, ContextOptions } from "./api/context.js";
export type { Driver, DriverAttributes, DriverChanges, DriverEntry, HookMode, RcuHook } from "./api/driver.js";
export type { Explanation, FoundFile, WalkError } from "./api/explain/explanation.js";
export type { ExplainOptions } from "./api/explain/options.js";
export type { LimitOptions, MountFlags, MountOptions, MountPropagation, UmountOptions } from "./api/mount.js";
export type { MountInfo } from "./api/mount-list.js";
export type { ProtectOptions } from "./api/protect.js";
export {
  type ChainLink,
  type ChangedWord,
  type CheckedBy,
  type ComponentKind,
  type DropReason,
  type Outcome,
  Trace,
  type TraceStep,
  type WalkMode,
} from "./api/trace.js";
export type { Counters, CreateOptions, Vfs } from "./api/vfs.js";
export type { VfsHandle } from "./bridge/handle.js";
export type { AuditHook, HostOptions, PointHook, SecurityHook } from "./bridge/host-imports.js";
export type { LoadOptions } from "./bridge/load.js";
export type { StreamModule } from "./bridge/node.js";
export type { WorkerLike } from "./bridge/threads.js";
export type { CoreModule, SharedMemory } from "./bridge/wasm.js";
export type { DirectoryJSON, NestedDirectoryJSON } from "./load-save/json.js";
export type { Snapshot, SnapshotOptions } from "./load-save/snapshot/snapshot.js";
export type {
  CopyOptions,
  CopyProgress,
  CopyResult,
  DirectoryFs,
  DirectoryPath,
  LostAttributes,
  SnapshotSource,
  XattrCalls,
} from "./load-save/types.js";
export type { CallError, FileHandle, FsCallbacks, FsPromises } from "./node-fs/forms/types.js";
export { OPEN_FLAGS } from "./node-fs/linux/open-flags.js";
export type {
  DirectoryPair,
  FallocateOptions,
  LinkOptions,
  LinuxCalls,
  LinuxStatFs,
  OpenHow,
  RenameOptions,
  ResolveFlag,
  SeekWhence,
  SetXattrOptions,
  Statx,
  StatxOptions,
  StatxTime,
  XattrOptions,
} from "./node-fs/linux/types.js";
export type {
  AsyncLockOptions,
  FlockType,
  HeldLock,
  LockOptions,
  LockRange,
  RangeLock,
  RangeLockType,
} from "./node-fs/locks/types.js";
export type { BigIntStats, Dir, Dirent, Fs, FsSync, PathLike, Stats } from "./node-fs/types.js";
export type { ChangeEvent, ChangesOptions, ChangeType } from "./node-fs/watch/changes.js";
