/**
 * The table of operations: every call of the fs surface once, under the name of Node's promise form. sync.ts makes the
 * synchronous forms from it; other forms can be made from the same entries.
 */

import { copyFile } from "./copy/contents.js";
import { glob } from "./glob/ops-glob.js";
import { cp } from "./ops-cp.js";
import * as dir from "./ops-dir.js";
import * as file from "./ops-file.js";
import * as path from "./ops-path.js";
import { rm, rmdir } from "./ops-rm.js";
import { mkdtempDisposable } from "./paths/disposable.js";
import { statfs } from "./paths/statfs.js";
import { readv, writev } from "./vectors/ops-vector.js";

export const operations = {
  access: path.access,
  appendFile: file.appendFile,
  chmod: path.chmod,
  chown: path.chown,
  close: file.close,
  copyFile,
  cp,
  exists: path.exists,
  fchmod: file.fchmod,
  fchown: file.fchown,
  fdatasync: file.fdatasync,
  fstat: file.fstat,
  fsync: file.fsync,
  ftruncate: file.ftruncate,
  futimes: file.futimes,
  glob,
  lchown: path.lchown,
  link: path.link,
  lstat: path.lstat,
  lutimes: path.lutimes,
  mkdir: path.mkdir,
  mkdtemp: path.mkdtemp,
  mkdtempDisposable,
  open: file.open,
  opendir: dir.opendir,
  read: file.read,
  readdir: dir.readdir,
  readFile: file.readFile,
  readlink: path.readlink,
  readv,
  realpath: path.realpath,
  rename: path.rename,
  rm,
  rmdir,
  stat: path.stat,
  statfs,
  symlink: path.symlink,
  truncate: file.truncate,
  unlink: path.unlink,
  utimes: path.utimes,
  write: file.write,
  writeFile: file.writeFile,
  writev,
} as const;

/** Its synchronous form takes the entries in another way. */
export { globSync } from "./glob/ops-glob.js";
/** Node's `realpath.native`, which is not a call of its own in Node either. */
export const realpathNative = path.realpathNative;
