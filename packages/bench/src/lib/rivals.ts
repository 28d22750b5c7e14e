// The file systems that are compared, opened by name, in the process or thread that is going to use them. They are imported
// only there, so that each process holds the code of one rival.

import type { Vfs, VfsHandle } from "threadfs";

export const KINDS = ["threadfs", "node", "memfs"] as const;
export type Kind = (typeof KINDS)[number];

/** The name of each in the tables. */
export const LABEL: Record<Kind, string> = { threadfs: "threadfs", node: "node:fs", memfs: "memfs" };

/** The calls that the benches make of every rival. */
export interface BenchFs {
  existsSync(path: string): boolean;
  statSync(path: string): { mode: number; nlink: number };
  mkdirSync(path: string, options?: { recursive: boolean }): unknown;
  rmdirSync(path: string): void;
  openSync(path: string, flags: string): number;
  closeSync(fd: number): void;
  readSync(fd: number, into: Buffer, offset: number, length: number, position: number): number;
  writeSync(fd: number, from: Buffer, offset: number, length: number, position: number): number;
  ftruncateSync(fd: number, size: number): void;
  readFileSync(path: string): { length: number };
  readFileSync(path: string, encoding: "utf8"): string;
  writeFileSync(path: string, data: string | Uint8Array): void;
  readdirSync(path: string): { length: number };
  opendirSync(path: string): { readSync(): unknown; closeSync(): void };
  renameSync(from: string, to: string): void;
  unlinkSync(path: string): void;
}

/** The core of a tree below the fs surface, in this thread's own instance of it. */
export type Core = Awaited<ReturnType<typeof openCore>>;

export async function openCore(handle: VfsHandle) {
  const { Attachment } = await import("../../../threadfs/dist/src/bridge/attachment.js");
  const { AT_FDCWD } = await import("../../../threadfs/dist/abi/abi.js");
  const { core, path } = Attachment.attach(handle, {});
  const encoder = new TextEncoder();
  return {
    core,
    /** The part of the thread's scratch area that holds a path. */
    path,
    /** Writes a path into the scratch area; returns its length. */
    put(text: string): number {
      const { written } = encoder.encodeInto(text, path);
      path[written] = 0;
      return written;
    },
    /** Looks the path in the scratch area up. */
    access: (length: number): number => core.sysAccess(handle.ctx, AT_FDCWD, length, 0, 0),
    stat: (length: number): number => core.sysStat(handle.ctx, AT_FDCWD, length, 0),
    /** Lists the directory of the path in the scratch area, whose names fit there; returns their bytes. */
    list: (length: number): number => core.sysScandir(handle.ctx, AT_FDCWD, length),
  };
}

export interface Rival {
  fs: BenchFs;
  /** The prefix of the names of lib/tree.ts. node:fs works in its process's working directory, for equally many components. */
  prefix: string;
  /** Of threadfs alone. */
  vfs?: Vfs;
}

/** Opens threadfs on a new tree. */
export async function openThreadfs(maxBytes = 2 ** 30): Promise<Rival & { vfs: Vfs }> {
  const { createVfs } = await import("threadfs");
  const vfs = await createVfs({ maxBytes });
  return { fs: vfs.fs, vfs, prefix: "/" };
}

/** @param maxBytes largest arena of threadfs */
export async function openRival(kind: Kind, maxBytes?: number): Promise<Rival> {
  switch (kind) {
    case "threadfs":
      return openThreadfs(maxBytes);
    case "memfs": {
      const { Volume, createFsFromVolume } = await import("memfs");
      // Its types say of a mode that it may be a bigint, which it is only on request.
      return { fs: createFsFromVolume(new Volume()) as unknown as BenchFs, prefix: "/" };
    }
    case "node":
      return { fs: await import("node:fs"), prefix: "" };
  }
}
