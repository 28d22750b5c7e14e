/**
 * Objects of hosts, described without the names that not every program's libraries declare. TypeScript declares the namespace
 * `WebAssembly` only with the DOM, and a program for Node should compile without it.
 */

/** A `URL`; no type where neither the DOM's nor Node's library is there. */
export type Url = typeof globalThis extends { URL: { prototype: infer U } } ? U : never;

/** A compiled build of the core: a `WebAssembly.Module`. */
export type CoreModule = object;

/** The memory that all threads of a tree share: a `WebAssembly.Memory` created with `shared: true`. */
export interface SharedMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}
