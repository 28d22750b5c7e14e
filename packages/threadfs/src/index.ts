/** threadfs: one file tree in shared memory that every JavaScript thread opens directly. */
export { COUNTERS } from "../abi/abi.js";
export { ABI_VERSION } from "../abi/memory.js";
export { ACL_TAG, type AclEntry, type Context, type ContextOptions, type PathLike } from "./api/context.js";
export type { Driver, DriverAttributes, DriverChanges, DriverEntry } from "./api/driver.js";
export { Trace, type TraceStep } from "./api/trace.js";
export {
  attachVfs,
  type Counters,
  type CreateOptions,
  createVfs,
  type MountOptions,
  type Vfs,
  type WorkerLike,
} from "./api/vfs.js";
export type { VfsHandle } from "./bridge/handle.js";
export type { AuditHook, HostOptions, PointHook, SecurityHook } from "./bridge/host-imports.js";
export { type LoadOptions, loadCore } from "./bridge/load.js";
export type { CoreModule, SharedMemory } from "./bridge/wasm.js";
export type { Dir, Dirent } from "./node-fs/dirent.js";
export type { BigIntStats, Stats } from "./node-fs/stats.js";
export type { FsSync } from "./node-fs/sync.js";
