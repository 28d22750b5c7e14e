/**
 * The two WebAssembly objects in a handle, described without the namespace `WebAssembly`. TypeScript declares that one
 * only with the DOM, and a program for Node should compile without it.
 */

/** A compiled build of the core: a `WebAssembly.Module`. */
export type CoreModule = object;

/** The memory that all threads of a tree share: a `WebAssembly.Memory` created with `shared: true`. */
export interface SharedMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}
