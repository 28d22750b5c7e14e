/** The core's calls themselves: for flags and descriptors that the fs surface has no way to say. */
import { AT_FDCWD, type CoreExports } from "../../dist/abi/abi.js";
import { Attachment } from "../../dist/src/bridge/attachment.js";
import type { VfsHandle } from "../../dist/src/index.js";
import type { TestScope } from "./hooked-vfs.js";

export interface RawCore {
  readonly arena: Attachment;
  readonly core: CoreExports;
  readonly ctx: number;
  /** Writes the first path; returns its length in bytes. */
  path(text: string): number;
  /** Writes the second path; returns its length in bytes. */
  path2(text: string): number;
  /** renameat2(2); flags 1 NOREPLACE, 2 EXCHANGE. */
  rename(from: string, to: string, flags: number): number;
  stat(dirfd: number, path: string, flags?: number): number;
  openat(dirfd: number, path: string, flags: number, mode?: number): number;
}

/** Writes a path and its NUL to the scratch area. Returns its length in bytes. */
export function putPath(arena: Attachment, text: string, into: Uint8Array = arena.path): number {
  const length = arena.writeString(text, into);
  into[length] = 0;
  return length;
}

/** One more attachment of this thread, which closes with the test. */
export function rawCore(t: TestScope, handle: VfsHandle): RawCore {
  const arena = Attachment.attach(handle, {});
  t.after(() => arena.close());
  const { core } = arena;
  const { ctx } = handle;
  const path = (text: string) => putPath(arena, text);
  const path2 = (text: string) => putPath(arena, text, arena.path2);
  return {
    arena,
    core,
    ctx,
    path,
    path2,
    rename: (from, to, flags) => core.sysRename(ctx, AT_FDCWD, path(from), AT_FDCWD, path2(to), flags),
    stat: (dirfd, text, flags = 0) => core.sysStat(ctx, dirfd, path(text), flags),
    openat: (dirfd, text, flags, mode = 0o644) => core.sysOpen(ctx, dirfd, path(text), flags, mode),
  };
}
