/** threadfs: one file tree in shared memory that every JavaScript thread opens directly. */
export { ABI_VERSION, COUNTERS } from "./abi.js";
export type { AuditHook, HostOptions, PointHook, SecurityHook, VfsHandle } from "./arena.js";
export { ACL_TAG, type AclEntry, type Context, type ContextOptions, type PathLike } from "./context.js";
export type { Driver } from "./driver.js";
export { type LoadOptions, loadCore } from "./load.js";
export type { Dir, Dirent } from "./node/dirent.js";
export type { BigIntStats, Stats } from "./node/stats.js";
export type { FsSync } from "./node/sync.js";
export { Trace, type TraceStep } from "./trace.js";
export {
  attachVfs,
  type Counters,
  type CreateOptions,
  createVfs,
  type MountOptions,
  type Vfs,
  type WorkerLike,
} from "./vfs.js";
export type { CoreModule, SharedMemory } from "./wasm.js";
