/** The operations on names: renameat2(2), linkat(2), mknod(2). */
import { AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../abi/flags.js";
import { S_IFIFO, S_IFMT, S_IFREG } from "../../../abi/mode.js";
import { flagOption, type KeysOf, readOptions } from "../../bridge/options.js";
import { type Path, toFd, toInteger, toMode, toPath } from "../args.js";
import { operation } from "../operation.js";
import type { SystemCalls } from "../system-calls.js";
import type { DirectoryPair, LinkOptions, RenameOptions } from "./types.js";

const DEFAULT_MODE = 0o666;
const MODE_MAX = 0o177777;
const DEV_MAX = 2 ** 32 - 1;
const PAIR: KeysOf<DirectoryPair> = { oldDirFd: true, newDirFd: true };
const RENAME: KeysOf<RenameOptions> = { ...PAIR, noreplace: true, exchange: true };
const LINK: KeysOf<LinkOptions> = { ...PAIR, follow: true };

/** Checked options of {@link DirectoryPair}; undefined: where the calls' own paths start. */
const toPair = ({ oldDirFd, newDirFd }: DirectoryPair) => ({
  from: oldDirFd === undefined ? undefined : toFd(oldDirFd),
  to: newDirFd === undefined ? undefined : toFd(newDirFd),
});

export const renameat2 = operation(
  (oldPath: unknown, newPath: unknown, options?: unknown) => {
    const [path, dest] = [toPath(oldPath, "oldPath"), toPath(newPath, "newPath")];
    const given = readOptions<RenameOptions>(options, RENAME);
    const noreplace = flagOption(given.noreplace, "options.noreplace") ? RENAME_NOREPLACE : 0;
    const exchange = flagOption(given.exchange, "options.exchange") ? RENAME_EXCHANGE : 0;
    return { path, dest, ...toPair(given), flags: noreplace | exchange };
  },
  (calls, { path, dest, from = calls.dirfd, to = calls.dirfd, flags }): void => {
    const [length, length2] = calls.putPaths(path, dest, "renameat2");
    calls.check(calls.core.sysRename(calls.ctx, from, length, to, length2, flags), "renameat2", path, dest);
  },
);

/** mknod(2). The umask counts, as always. */
export const mknod = operation(
  (path: unknown, mode: unknown = S_IFREG | DEFAULT_MODE, dev: unknown = 0) => ({
    path: toPath(path),
    mode: toInteger(mode, "mode", 0, MODE_MAX),
    dev: toInteger(dev, "dev", 0, DEV_MAX),
  }),
  (calls, { path, mode, dev }): void => makeNode(calls, path, mode, dev, "mknod"),
);

/** mkfifo(3): mknod(2) of a named pipe. */
export const mkfifo = operation(
  (path: unknown, mode?: unknown) => ({ path: toPath(path), mode: toMode(mode, "mode", DEFAULT_MODE) }),
  (calls, { path, mode }): void => makeNode(calls, path, S_IFIFO | (mode & ~S_IFMT), 0, "mkfifo"),
);

function makeNode(calls: SystemCalls, path: Path, mode: number, dev: number, syscall: string): void {
  const length = calls.putPath(path, syscall);
  calls.check(calls.core.sysMknod(calls.ctx, calls.dirfd, length, mode, dev), syscall, path);
}

/** The arguments of linkat(2) for a descriptor, which the empty path stands for, or for a path. */
function linkSource(calls: SystemCalls, existing: Path | number, dest: Path, dirfd: number) {
  const [path, at, flag] = typeof existing === "number" ? ["", existing, AT_EMPTY_PATH] : [existing, dirfd, 0];
  const [length, length2] = calls.putPaths(path, dest, "linkat");
  return { path: typeof existing === "number" ? undefined : existing, at, flag, length, length2 };
}

export const linkat = operation(
  (existing: unknown, newPath: unknown, options?: unknown) => {
    const file = typeof existing === "number" ? toFd(existing) : toPath(existing, "existing");
    const dest = toPath(newPath, "newPath");
    const given = readOptions<LinkOptions>(options, LINK);
    return { file, dest, ...toPair(given), follow: flagOption(given.follow, "options.follow") ? AT_SYMLINK_FOLLOW : 0 };
  },
  (calls, { file, dest, from = calls.dirfd, to = calls.dirfd, follow }): void => {
    const { path, at, flag, length, length2 } = linkSource(calls, file, dest, from);
    const { core, ctx } = calls;
    calls.check(core.sysLink(ctx, at, length, to, length2, flag | follow), "linkat", path, dest);
  },
);
