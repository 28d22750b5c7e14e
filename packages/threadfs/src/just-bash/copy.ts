/** Copies of files, links and directories, within a tree or from one mount to another. */
import * as ERRNO from "../../abi/errno.js";
import { systemCallError } from "../errors/errors.js";
import type { FsPromises } from "../node-fs/forms/types.js";
import { codeOf, intoItself, joined, parentOf } from "./paths.js";

/** Makes a call that creates a name. If a directory of its path is missing, makes that first, as just-bash's own file systems do. */
export async function withParents(fs: FsPromises, path: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    await fs.mkdir(parentOf(path), { recursive: true });
    await call();
  }
}

/** The real path of the nearest thing that exists on a path. */
async function nearestReal(fs: FsPromises, path: string): Promise<string> {
  try {
    return await fs.realpath(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || path === "/") throw error;
    return nearestReal(fs, parentOf(path));
  }
}

async function isInside(fs: FsPromises, directory: string, path: string): Promise<boolean> {
  const [real, nearest] = [await fs.realpath(directory), await nearestReal(fs, path)];
  return nearest === real || nearest.startsWith(joined(real, ""));
}

async function copyLink(fs: FsPromises, source: string, target: string): Promise<void> {
  const body = await fs.readlink(source);
  try {
    await withParents(fs, target, () => fs.symlink(body, target));
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    await fs.unlink(target);
    await fs.symlink(body, target);
  }
}

async function copyDirectory(fs: FsPromises, source: string, target: string, mode: number): Promise<void> {
  const isNew = (await fs.mkdir(target, { recursive: true })) !== undefined;
  for (const name of await fs.readdir(source)) await copyEntry(fs, joined(source, name), joined(target, name));
  // After its entries: the source may be one that cannot be written.
  if (isNew) await fs.chmod(target, mode & 0o7777);
}

async function copyEntry(fs: FsPromises, source: string, target: string): Promise<void> {
  const stats = await fs.lstat(source);
  if (stats.isDirectory()) await copyDirectory(fs, source, target, stats.mode);
  else if (stats.isSymbolicLink()) await copyLink(fs, source, target);
  else if (stats.isFile()) await withParents(fs, target, () => fs.copyFile(source, target));
  else throw systemCallError(-ERRNO.EINVAL, "cp", source);
}

/**
 * Copies what a path names.
 * @throws SystemCallError EISDIR for a directory without `recursive`; EINVAL for a directory into itself, and for what is no file, link or directory; what the calls throw
 */
export async function copy(fs: FsPromises, source: string, target: string, recursive: boolean): Promise<void> {
  if ((await fs.lstat(source)).isDirectory()) {
    if (!recursive) throw systemCallError(-ERRNO.EISDIR, "cp", source);
    if (await isInside(fs, source, target)) throw intoItself("cp", source, target);
  }
  await copyEntry(fs, source, target);
}
