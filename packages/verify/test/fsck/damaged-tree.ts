/** A tree with objects of every kind, and access to its memory by the names of packages/verify/src/arena/layout.ts. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { AT_FDCWD, LOCK_EX, OPENING } from "../../../threadfs/dist/abi/abi.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import * as L from "../../dist/arena/layout.js";
import { defined } from "../../dist/support/defined.js";
import { assertClean, emptyTree, LONG } from "./tree.js";

const { DENTRY, INODE, MOUNT } = L;

/** What is damaged, the kind that must be reported, the damage. */
export type Damage = readonly [what: string, kind: string, damage: (w: MemoryEditor) => void];

/** A tree with objects of every kind, and an editor of its memory. */
export async function populatedTree(t: TestContext): Promise<MemoryEditor> {
  const vfs = await emptyTree(t, 5 << 20);
  const { fs } = vfs;
  const attachment = Attachment.attach(vfs.handle, {});
  t.after(() => attachment.close());
  const changes = vfs.changes({ persistent: false });
  t.after(() => changes.return?.());
  fs.mkdirSync("/dir/sub", { recursive: true });
  fs.mkdirSync("/dir/other");
  fs.writeFileSync("/dir/file", "0123456789");
  fs.linkSync("/dir/file", "/dir/second");
  fs.writeFileSync(`/dir/${LONG}`, "");
  fs.writeFileSync("/dir/big", Buffer.alloc(10_000, "b"));
  fs.writeFileSync("/dir/plain", "y");
  fs.symlinkSync("file", "/dir/link");
  vfs.setfacl("/dir/plain", [
    { tag: 1, perm: 6 },
    { tag: 2, id: 5, perm: 6 },
    { tag: 4, perm: 4 },
    { tag: 16, perm: 6 },
    { tag: 32, perm: 4 },
  ]);
  const base = [1, 4, 32].map((tag) => ({ tag, perm: 5 }));
  vfs.setfacl("/dir/other", base, { default: true });
  for (const [name, value] of [
    ["user.a", "1"],
    ["user.b", "x".repeat(5000)],
  ] as const)
    vfs.linux.setxattrSync("/dir/file", name, value);
  vfs.linux.setxattrSync("/dir", "user.d", "2");
  fs.mkdirSync("/mnt");
  fs.mkdirSync("/drv");
  vfs.mount("none", "/mnt", "tmpfs", { size: 1 << 16, nrInodes: 10 });
  fs.writeFileSync("/mnt/counted", "c");
  vfs.mount("none", "/drv", "drv");
  fs.statSync("/drv/a/b");
  // Its text is kept from then on.
  fs.readlinkSync("/drv/b");
  assert.equal(fs.existsSync("/drv/none"), false);
  fs.existsSync("/drv/none2");
  const context = vfs.context({ groups: [1, 2, 3] });
  t.after(() => context.close());
  context.chdir("/dir/sub");
  const fd = fs.openSync("/dir/file", "r+");
  fs.writeFileSync("/gone", "");
  fs.openSync("/gone", "r");
  fs.unlinkSync("/gone");
  const dir = fs.openSync("/dir", "r");
  const length = attachment.writeString("/dir/file\0", attachment.path) - 1;
  const any = attachment.core.sysOpenAny(0, AT_FDCWD, length, 0, 0);
  attachment.core.sysGetdents(0, dir, 0, -1);
  // A flock and two locks on ranges, in this order, and a request that waits for the flock.
  vfs.flockSync(fd, "sh");
  for (const start of [0, 20]) vfs.fcntlLockSync(fd, { type: "wr", start, length: 10 });
  attachment.core.lockRequest(0, fs.openSync("/dir/file", "r"), LOCK_EX);
  // A pipe with two pages, and the open of a FIFO that waits: descriptors to read from and to write to, and a third one.
  const [from, to] = vfs.linux.pipeSync();
  fs.writeSync(to, Buffer.alloc(5000, "p"));
  vfs.linux.mkfifoSync("/fifo");
  const opening =
    OPENING - attachment.core.sysOpen(0, AT_FDCWD, attachment.writeString("/fifo\0", attachment.path) - 1, 0, 0);
  // A list of retired objects.
  for (const name of ["x", "y"]) fs.writeFileSync(`/${name}`, "");
  for (const name of ["x", "y"]) fs.unlinkSync(`/${name}`);
  // An entry more, so that free ones are left on the thread's sheaf, which gets several at a time.
  fs.writeFileSync("/more", "");
  assertClean(vfs, "before the damage");
  // Chunks that were never used, whatever the last step of growing left.
  vfs.handle.memory.grow(4);
  const words = new Uint32Array(vfs.handle.memory.buffer);
  return new MemoryEditor(words, { context: context.handle.ctx, fd, dir, any, from, to, opening });
}

/** Numbers of a context and of descriptors. */
interface Numbers {
  context: number;
  /** A descriptor of a file, and one of a directory. */
  fd: number;
  dir: number;
  /** One of a file, for which any was taken. */
  any: number;
  /** The ends of a pipe, and one that is about to be opened. */
  from: number;
  to: number;
  opening: number;
}

/** Reads and writes words of the memory, and finds the objects of the tree in it. */
export class MemoryEditor {
  constructor(
    readonly words: Uint32Array,
    readonly numbers: Numbers,
  ) {}

  /** The same for a copy of the memory. */
  copy(): MemoryEditor {
    return new MemoryEditor(this.words.slice(), this.numbers);
  }

  get(at: number): number {
    return defined(this.words[at >>> 2], `word at ${at}`);
  }

  set(at: number, value: number): void {
    this.words[at >>> 2] = value;
  }

  add(at: number, n: number): void {
    this.set(at, this.get(at) + n);
  }

  flip(at: number, bits: number): void {
    this.set(at, this.get(at) ^ bits);
  }

  byte(at: number, value: number): void {
    new Uint8Array(this.words.buffer)[at] = value;
  }

  get rootMount(): number {
    return this.get(L.G_ROOT_MNT);
  }

  get root(): number {
    return this.get(this.rootMount + MOUNT.root);
  }

  child(parent: number, name: string): number {
    const bytes = new Uint8Array(this.words.buffer);
    for (let d = this.get(parent + DENTRY.firstChild); d !== 0; d = this.get(d + DENTRY.sibNext)) {
      const len = this.get(d + DENTRY.len);
      const at = len > L.INLINE_NAME ? this.get(d + DENTRY.name) : d + DENTRY.name;
      if (Buffer.from(bytes.slice(at, at + len)).toString() === name) return d;
    }

    throw new Error(`no ${name}`);
  }

  /** The dentry at a path. */
  d(path: string): number {
    return path
      .split("/")
      .filter(Boolean)
      .reduce((d, name) => this.child(d, name), this.root);
  }

  /** The inode at a path. */
  i(path: string): number {
    return this.get(this.d(path) + DENTRY.inode);
  }

  /** The newest mount. */
  get mount(): number {
    return this.get(L.G_MOUNTS);
  }

  /** The file system with limits. */
  get limited(): number {
    return this.get(this.get(this.get(L.G_MOUNTS) + MOUNT.allNext) + MOUNT.sb);
  }

  get super(): number {
    return this.get(this.rootMount + MOUNT.sb);
  }

  get driverRoot(): number {
    return this.get(this.mount + MOUNT.root);
  }

  get context(): number {
    return this.get(L.CTX_TABLE + (this.numbers.context & (L.MAX_CONTEXTS - 1)) * 4);
  }

  /** The first block of descriptors of context 0. */
  get block(): number {
    return this.blockOf(0);
  }

  /** The block that has one of its descriptors. */
  blockOf(fd: number): number {
    return this.get(this.get(L.CTX_TABLE) + L.CONTEXT_FD_BLOCKS + Math.floor(fd / L.FD_BLOCK) * 4);
  }

  file(fd: number): number {
    return this.get(this.blockOf(fd) + (fd % L.FD_BLOCK) * 4);
  }

  /** The n-th advisory lock on "/dir/file". */
  lock(n: number): number {
    let at = this.i("/dir/file") + INODE.flctx;
    for (let k = 0; k <= n; k++) at = this.get(at);
    return at;
  }

  /** The pipe. */
  get pipe(): number {
    return this.get(this.get(this.file(this.numbers.from) + L.FILE.inode) + INODE.data);
  }

  /** The n-th slot of its ring. */
  slot(n: number): number {
    return this.get(this.pipe + L.CLASSES.Pipe.bufs) + (n << L.SLOT_SHIFT);
  }

  /** The entry of a chunk in the table of chunks. */
  entry(chunk: number): number {
    return this.get(L.H_CHUNK_TABLE) + chunk * L.CHUNK_ENTRY;
  }

  /** The first chunk with room of a cache. */
  room(cache: number): number {
    return this.get(L.G_CACHES + cache * L.KMEM_CACHE_SIZE + L.KMEM_PARTIAL);
  }

  /** The address of the bucket of a hash. */
  chain(hash: number): number {
    const n = this.get(L.G_HASH_N);
    return this.get(L.H_BUCKETS) + ((hash & (n - 1)) >>> 0) * 4;
  }
}
