/** What just-bash's `IFileSystem` takes and returns (https://www.npmjs.com/package/just-bash), by its structure. */
import type { Fs } from "../node-fs/types.js";

/** What a shell works on: a `Vfs`, or a `Context`, which has a root and a user of its own. */
export interface Tree {
  readonly fs: Fs;
}

/** How the text of a file is encoded. "ascii" is read and written as "utf8", which it is a part of. */
export type BashEncoding = "utf8" | "utf-8" | "ascii" | "binary" | "latin1" | "base64" | "hex";

/** An encoding, or an object that has it. */
export type EncodingOption = BashEncoding | { encoding?: BashEncoding | null };

/** What a path names. */
export interface BashStat {
  isFile: boolean;
  isDirectory: boolean;
  isSymbolicLink: boolean;
  /** Permissions, with the set-id bits and the sticky bit, without the type. */
  mode: number;
  /** In bytes. */
  size: number;
  mtime: Date;
  dev: number;
  ino: number;
}

/** An entry of a directory. */
export interface BashDirent {
  name: string;
  isFile: boolean;
  isDirectory: boolean;
  isSymbolicLink: boolean;
}
