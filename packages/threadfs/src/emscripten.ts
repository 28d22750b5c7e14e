/** Trees as file systems of programs that Emscripten has compiled: `FS.mount(threadfs, { vfs, FS }, "/mnt")`. */
export {
  type FileLockOptions,
  type FileLocks,
  fileLocks,
  type LockImportsOptions,
  lockImports,
} from "./emscripten/locks.js";
export { type MountOptions, threadfs } from "./emscripten/mount.js";
export type { FileSystemType } from "./emscripten/types.js";
export { type ProgramInstance, type WasmfsImportsOptions, wasmfsImports } from "./emscripten/wasmfs.js";
