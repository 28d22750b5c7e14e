/**
 * sql.js in a build that exports its FS: SQLite compiled by Emscripten 2. It comes twice: through the Closure compiler, which renames what it can, and with
 * all names and assertions.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Vfs } from "threadfs";
import { lockImports, threadfs } from "threadfs/emscripten";

export interface Stream {
  fd: number;
  node: object;
  position: number;
  flags: number;
}

/** What is used of FS here. */
export interface ProgramFs {
  mount(type: unknown, options: object, mountpoint: string): object;
  unmount(mountpoint: string): void;
  mkdir(path: string, mode?: number): void;
  mknod(path: string, mode: number, dev: number): object;
  rmdir(path: string): void;
  unlink(path: string): void;
  rename(from: string, to: string): void;
  symlink(target: string, path: string): void;
  readlink(path: string): string;
  readdir(path: string): string[];
  stat(path: string): { mode: number; size: number; ino: number; nlink: number; mtime: Date };
  lstat(path: string): { mode: number; size: number };
  chmod(path: string, mode: number): void;
  truncate(path: string | object, size: number): void;
  utime?(path: string, atime: number, mtime: number): void;
  open(path: string, flags: string | number, mode?: number): Stream;
  close(stream: Stream): void;
  read(stream: Stream, buffer: Uint8Array, offset: number, length: number, position?: number): number;
  write(stream: Stream, buffer: Uint8Array, offset: number, length: number, position?: number): number;
  llseek(stream: Stream, offset: number, whence: number): number;
  allocate(stream: Stream, offset: number, length: number): void;
  // Old versions have an address before the length.
  mmap(stream: Stream, ...rest: number[]): { ptr: number };
  msync(stream: Stream, buffer: Uint8Array, offset: number, length: number, flags: number): number;
  readFile(path: string, options: { encoding: "utf8" }): string;
  writeFile(path: string, data: string): void;
  createDataFile(parent: string, name: string, data: string, canRead: boolean, canWrite: boolean): void;
  lookupNode(parent: object, name: string): { mode: number };
  streams: (Stream | null)[];
}

export interface Database {
  exec(sql: string): { values: unknown[][] }[];
  close(): void;
}

export interface Program {
  FS: ProgramFs;
  Database: new (path: string, options: { filename: true }) => Database;
  HEAPU8?: Uint8Array;
}

export const BUILDS = ["sql-wasm", "sql-wasm-debug"] as const;
export type BuildName = (typeof BUILDS)[number];

interface Options {
  wasmBinary?: Uint8Array;
  instantiateWasm?(imports: object, done: (instance: unknown, module: unknown) => void): object;
}

const require = createRequire(import.meta.url);

/** Starts a build: a program of its own each time, while its module has one. */
export function start(build: BuildName, locks = false): Promise<Program> {
  delete require.cache[require.resolve(`@jlongster/sql.js/dist/${build}.js`)];
  const make = require(`@jlongster/sql.js/dist/${build}.js`) as (options: Options) => Promise<Program>;
  const wasmBinary = readFileSync(require.resolve(`@jlongster/sql.js/dist/${build}.wasm`));
  if (!locks) return make({ wasmBinary });
  const started = make({
    instantiateWasm(imports, done) {
      let memory: { buffer: ArrayBuffer } | undefined;
      lockImports(imports, { FS: () => fs as object, memory: () => memory?.buffer as ArrayBuffer });
      void WebAssembly.instantiate(wasmBinary, imports as WebAssembly.Imports).then(({ instance, module }) => {
        memory = instance.exports.memory as unknown as { buffer: ArrayBuffer };
        done(instance, module);
      });
      return {};
    },
  });
  let fs: object | undefined;
  void started.then(({ FS }) => {
    fs = FS;
  });
  return started;
}

/** Mounts a tree in a program. Returns the program's FS. */
export function mountTree({ FS }: Program, vfs: Vfs, place = "/mnt"): ProgramFs {
  FS.mkdir(place);
  FS.mount(threadfs, { vfs, FS }, place);
  return FS;
}
