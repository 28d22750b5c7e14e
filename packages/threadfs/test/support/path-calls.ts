/** What the tests of bad input share: trees that are closed in the end, and every call that takes a path. */
import assert from "node:assert/strict";
import type { PathLike } from "node:fs";
import { after } from "node:test";
import { type CreateOptions, createVfs, type Vfs } from "../../dist/src/index.js";
import type { FsCalls } from "./fs-calls.js";

/** Attachments to close when the file's tests are done. */
export const open: Vfs[] = [];
after(() => {
  for (const vfs of open) vfs.close();
});

export async function tree(options: Partial<CreateOptions> = {}): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 64 << 20, ...options });
  open.push(vfs);
  return vfs;
}

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
