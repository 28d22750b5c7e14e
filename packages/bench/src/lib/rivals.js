// The file systems that are compared, opened by name. Called in the process or thread that is going to use them.

import { existsSync } from "node:fs";

export const KINDS = ["threadfs", "node", "memfs"];

/** How each is called in tables. */
export const LABEL = { threadfs: "threadfs", node: "node:fs", memfs: "memfs" };

/** The package under test. A bench without it says what to do instead of failing in an import. */
export async function loadThreadfs() {
  const entry = new URL("../../../threadfs/dist/src/index.js", import.meta.url);
  if (!existsSync(entry)) throw new Error("the library is not built: run `npm run build` first");
  return import(entry.href);
}

/**
 * Goes in below the fs surface: this thread's own instance of the core over a tree.
 * @returns {Promise<{ core: object, put: (path: string) => number, access: (length: number) => number,
 *   stat: (length: number) => number, path: Uint8Array }>} `put` writes a path into the thread's scratch area and answers
 *   its length, `access` and `stat` look it up; `path` is that area
 */
export async function openCore(handle) {
  const { Attachment } = await import(new URL("../../../threadfs/dist/src/bridge/attachment.js", import.meta.url).href);
  const { AT_FDCWD } = await import(new URL("../../../threadfs/dist/abi/abi.js", import.meta.url).href);
  const arena = Attachment.attach(handle, {});
  const { core, path } = arena;
  const encoder = new TextEncoder();
  return {
    core,
    path,
    put(text) {
      const { written } = encoder.encodeInto(text, path);
      path[written] = 0;
      return written;
    },
    access: (length) => core.sysAccess(handle.ctx, AT_FDCWD, length, 0, 0),
    stat: (length) => core.sysStat(handle.ctx, AT_FDCWD, length, 0),
  };
}

/**
 * Opens a rival.
 * @param {"threadfs" | "node" | "memfs"} kind
 * @param {{ maxBytes?: number }} [options] arena size of threadfs
 * @returns {Promise<{ fs: object, vfs?: object, prefix: string }>} `prefix` goes in front of the names of lib/tree.js:
 *   node:fs works in its process's working directory, so that its paths have as many components as everybody's
 */
export async function openRival(kind, options = {}) {
  if (kind === "threadfs") {
    const { createVfs } = await loadThreadfs();
    const vfs = await createVfs({ maxBytes: options.maxBytes ?? 2 ** 30 });
    return { fs: vfs.fs, vfs, prefix: "/" };
  }
  if (kind === "memfs") {
    const { Volume, createFsFromVolume } = await import("memfs");
    return { fs: createFsFromVolume(new Volume()), prefix: "/" };
  }
  if (kind === "node") return { fs: await import("node:fs"), prefix: "" };
  throw new RangeError(`unknown rival ${kind}`);
}
