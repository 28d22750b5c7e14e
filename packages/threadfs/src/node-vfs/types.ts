/** What `node:vfs` asks of a provider (https://nodejs.org/api/vfs.html), by its structure. */
import type { LinuxCalls } from "../node-fs/linux/types.js";
import type { BigIntStats, Bytes, Fs, Stats } from "../node-fs/types.js";

/** What a provider shows: a `Vfs`, or a `Context`, which has a root and a user of its own. */
export interface ProviderTree {
  readonly fs: Fs;
  readonly linux: LinuxCalls;
}

/** Options as the caller of `node:fs` has given them: the calls of the tree check them. */
export type Options = object | string | number | null | undefined;

/** How many bytes a call has moved, from or to which buffer. */
export interface BytesRead {
  bytesRead: number;
  buffer: Uint8Array;
}
export interface BytesWritten {
  bytesWritten: number;
  buffer: Uint8Array;
}

export type AnyStats = Stats | BigIntStats;
export type Contents = Bytes | string;

/** An open file, as `node:vfs` keeps it behind a number. */
export interface ProviderHandle {
  readonly path: string;
  readonly flags: string | number;
  readonly mode: number;
  readonly closed: boolean;
  /** Where the next read or write without a position begins. */
  position: number;
}
