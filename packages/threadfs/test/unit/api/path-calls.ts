/** What the tests of bad input share: every call that takes a path, and a tree that no refused call changes. */
import assert from "node:assert/strict";
import type { PathLike } from "node:fs";
import type { Vfs } from "../../../dist/src/index.js";
import { refused } from "../../support/errors.js";
import type { FsCalls } from "../../support/fs-calls.js";
import { tree } from "./trees.js";

/** Every call that takes a path, with the path (and another, good one) as its argument. */
export const PATH_CALLS = {
  accessSync: (fs: FsCalls, path: PathLike) => fs.accessSync(path),
  statSync: (fs: FsCalls, path: PathLike) => fs.statSync(path),
  lstatSync: (fs: FsCalls, path: PathLike) => fs.lstatSync(path),
  realpathSync: (fs: FsCalls, path: PathLike) => fs.realpathSync(path),
  "realpathSync.native": (fs: FsCalls, path: PathLike) => fs.realpathSync.native(path),
  readdirSync: (fs: FsCalls, path: PathLike) => fs.readdirSync(path),
  opendirSync: (fs: FsCalls, path: PathLike) => fs.opendirSync(path),
  mkdirSync: (fs: FsCalls, path: PathLike) => fs.mkdirSync(path),
  rmdirSync: (fs: FsCalls, path: PathLike) => fs.rmdirSync(path),
  rmSync: (fs: FsCalls, path: PathLike) => fs.rmSync(path),
  openSync: (fs: FsCalls, path: PathLike) => fs.openSync(path),
  "openSync w": (fs: FsCalls, path: PathLike) => fs.openSync(path, "w"),
  readFileSync: (fs: FsCalls, path: PathLike) => fs.readFileSync(path),
  writeFileSync: (fs: FsCalls, path: PathLike) => fs.writeFileSync(path, "x"),
  appendFileSync: (fs: FsCalls, path: PathLike) => fs.appendFileSync(path, "x"),
  truncateSync: (fs: FsCalls, path: PathLike) => fs.truncateSync(path),
  "renameSync from": (fs: FsCalls, path: PathLike) => fs.renameSync(path, "/to"),
  "renameSync to": (fs: FsCalls, path: PathLike) => fs.renameSync("/f", path),
  "linkSync from": (fs: FsCalls, path: PathLike) => fs.linkSync(path, "/to"),
  "linkSync to": (fs: FsCalls, path: PathLike) => fs.linkSync("/f", path),
  "symlinkSync body": (fs: FsCalls, path: PathLike) => fs.symlinkSync(path, "/to"),
  "symlinkSync place": (fs: FsCalls, path: PathLike) => fs.symlinkSync("body", path),
  readlinkSync: (fs: FsCalls, path: PathLike) => fs.readlinkSync(path),
  unlinkSync: (fs: FsCalls, path: PathLike) => fs.unlinkSync(path),
  chmodSync: (fs: FsCalls, path: PathLike) => fs.chmodSync(path, 0o600),
  chownSync: (fs: FsCalls, path: PathLike) => fs.chownSync(path, 0, 0),
  lchownSync: (fs: FsCalls, path: PathLike) => fs.lchownSync(path, 0, 0),
  utimesSync: (fs: FsCalls, path: PathLike) => fs.utimesSync(path, 1, 1),
  lutimesSync: (fs: FsCalls, path: PathLike) => fs.lutimesSync(path, 1, 1),
  "copyFileSync from": (fs: FsCalls, path: PathLike) => fs.copyFileSync(path, "/to"),
  "copyFileSync to": (fs: FsCalls, path: PathLike) => fs.copyFileSync("/f", path),
} as const satisfies Record<string, (fs: FsCalls, path: PathLike) => unknown>;

/** Calls of the tree itself that take a path. */
export const TREE_CALLS = {
  "mount at": (vfs: Vfs, path: PathLike) => vfs.mount("none", path, "tmpfs"),
  "bind from": (vfs: Vfs, path: PathLike) => vfs.mount(path, "/d", "bind"),
  umount: (vfs: Vfs, path: PathLike) => vfs.umount(path),
  "context root": (vfs: Vfs, path: PathLike) => vfs.context({ root: path }),
  "context cwd": (vfs: Vfs, path: PathLike) => vfs.context({ cwd: path }),
  setfacl: (vfs: Vfs, path: PathLike) => vfs.setfacl(path, []),
  getfacl: (vfs: Vfs, path: PathLike) => vfs.getfacl(path),
} as const satisfies Record<string, (vfs: Vfs, path: PathLike) => unknown>;

/** Asserts that every call that takes a path, except `others`, fails with this code. */
export function refusedByAll(code: string, vfs: Vfs, path: PathLike, others: readonly string[] = []): void {
  for (const [name, call] of Object.entries(PATH_CALLS))
    if (!others.includes(name)) refused(code, () => call(vfs.fs, path), name);
  for (const [name, call] of Object.entries(TREE_CALLS)) refused(code, () => call(vfs, path), name);
}

/** A tree with a file /f, which holds "x", and an empty directory /d. */
export async function treeWithFile(): Promise<Vfs> {
  const vfs = await tree();
  vfs.fs.writeFileSync("/f", "x");
  vfs.fs.mkdirSync("/d");
  return vfs;
}

/** The tree is as treeWithFile() made it. */
export function untouched({ fs }: Vfs): void {
  assert.deepEqual(fs.readdirSync("/"), ["d", "f"]);
  assert.deepEqual(fs.readdirSync("/d"), []);
  assert.equal(fs.readFileSync("/f", "utf8"), "x");
}
