/**
 * The two things of WebAssembly that a handle holds, described without the namespace `WebAssembly`: TypeScript knows
 * that one only together with the DOM, and a user's program for Node should compile without it.
 */

/** A compiled build of the core: a `WebAssembly.Module`. */
export type CoreModule = object;

/** The memory that all threads of a tree share: a `WebAssembly.Memory` made with `shared: true`. */
export interface SharedMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}
