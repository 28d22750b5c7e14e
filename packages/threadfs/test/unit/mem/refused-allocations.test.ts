/** Every single allocation of every operation refused: ENOSPC, the tree is as it was, and the operation works afterwards. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CACHES,
  G_CACHES,
  G_PAGE_FREE,
  H_CHUNK_TABLE,
  H_MAX_CHUNKS,
  SIZES,
} from "../../../../verify/dist/arena/layout.js";
import type { Context } from "../../../dist/src/api/context.js";
import { createVfs, type FsSync, type Vfs } from "../../../dist/src/index.js";
import { gauges } from "../../support/counters.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { codeOf } from "../../support/errors.js";
import type { TestScope } from "../../support/hooked-vfs.js";

/** Offsets of a cache's list of chunks with room, and of a chunk's neighbours in the chunk table (core/mem/alloc/slab.ts, pages.ts). */
const CACHE_BYTES = 64;
const CACHE_ROOM = 12;
const CHUNK_BYTES = 32;
const CHUNK_PREV = 16;
const CHUNK_NEXT = 20;

/** Runs with one cache empty and no chunk to be had: every allocation from that cache fails, all others work. */
function without<T>(vfs: Vfs, cache: number, run: () => T): T {
  const words = new Uint32Array(vfs.handle.memory.buffer);
  const read = (word: number) => Atomics.load(words, word);
  const at = (address: number) => address >>> 2;
  const next = (chunk: number) => at(read(at(H_CHUNK_TABLE)) + chunk * CHUNK_BYTES + CHUNK_NEXT);
  const prev = (chunk: number) => at(read(at(H_CHUNK_TABLE)) + chunk * CHUNK_BYTES + CHUNK_PREV);
  const room = at(G_CACHES + cache * CACHE_BYTES + CACHE_ROOM);
  const limit = at(H_MAX_CHUNKS);
  const saved = [room, limit, at(G_PAGE_FREE)].map((word) => ({ word, value: read(word) }));
  for (const { word } of saved) words[word] = 0;
  try {
    return run();
  } finally {
    for (const { word, value } of saved) {
      // Chunks that have come back meanwhile go in front of the saved ones.
      let last = word === limit ? 0 : read(word);
      while (last !== 0 && read(next(last)) !== 0) last = read(next(last));
      if (last === 0) words[word] = value;
      else {
        words[next(last)] = value;
        if (word === room && value !== 0) words[prev(value)] = last;
      }
    }
  }
}

/** Contents of a file of i's own. */
function text(i: number | string, length: number): string {
  return `${i} `.repeat(Math.ceil(length / 2)).slice(0, length);
}

/** The whole tree as a user sees it: names, types, links, sizes, times of change, contents. */
function snapshot(fs: FsSync, dir = "/"): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const name of fs.readdirSync(dir)) {
    const path = `${dir === "/" ? "" : dir}/${name}`;
    const { ino, mode, nlink, size, blocks, mtimeMs, ctimeMs } = fs.lstatSync(path);
    const stats = { ino, mode, nlink, size, blocks, mtimeMs, ctimeMs };
    if ((mode & 0o170000) === 0o040000) shown[name] = { ...stats, inside: snapshot(fs, path) };
    else if ((mode & 0o170000) === 0o120000) shown[name] = { ...stats, body: fs.readlinkSync(path) };
    else shown[name] = { ...stats, body: fs.readFileSync(path, "latin1") };
  }
  return shown;
}

const LONG = "l".repeat(150);

/** A tree to work on. */
interface Workplace {
  vfs: Vfs;
  fs: FsSync;
  /** Opens a file for a call by descriptor. */
  fd<T>(path: string, run: (fs: FsSync, fd: number) => T): T;
  /** A second context, without open files. */
  other: Context;
}

interface Operation {
  /** The caches that it allocates from. */
  needs: string[];
  run(workplace: Workplace): unknown;
  /** Takes a success back. */
  undo?(workplace: Workplace): void;
}

const OPERATIONS: Record<string, Operation> = {
  mkdir: { needs: ["dentry", "inode"], run: ({ fs }) => fs.mkdirSync("/w/new") },
  "mkdir with a long name": { needs: ["dentry", "inode", "size-160"], run: ({ fs }) => fs.mkdirSync(`/w/${LONG}`) },
  create: { needs: ["dentry", "inode", "file"], run: ({ fs }) => fs.closeSync(fs.openSync("/w/new", "wx")) },
  "create with a long name": {
    needs: ["dentry", "inode", "file", "size-160"],
    run: ({ fs }) => fs.closeSync(fs.openSync(`/w/${LONG}`, "w")),
  },
  symlink: { needs: ["dentry", "inode", "size-16"], run: ({ fs }) => fs.symlinkSync("t", "/w/new") },
  "symlink, both long": {
    needs: ["dentry", "inode", "size-160", "size-1024"],
    run: ({ fs }) => fs.symlinkSync("t".repeat(900), `/w/${LONG}`),
  },
  link: { needs: ["dentry"], run: ({ fs }) => fs.linkSync("/w/file", "/w/new") },
  "link with a long name": { needs: ["dentry", "size-160"], run: ({ fs }) => fs.linkSync("/w/file", `/w/${LONG}`) },
  rename: { needs: ["dentry"], run: ({ fs }) => fs.renameSync("/w/file", "/w/sub/other") },
  "rename to a long name": { needs: ["dentry", "size-160"], run: ({ fs }) => fs.renameSync("/w/sub", `/w/${LONG}`) },
  "rename onto another": { needs: [], run: ({ fs }) => fs.renameSync("/w/file", "/w/page") },
  "write the first byte": {
    needs: ["file", "size-16"],
    run: ({ fd }) => fd("/w/empty", (fs, n) => fs.writeSync(n, "x")),
  },
  "write over what is there": { needs: ["file"], run: ({ fd }) => fd("/w/file", (fs, n) => fs.writeSync(n, "new")) },
  "write more than there is room": {
    needs: ["file", "size-112"],
    run: ({ fd }) => fd("/w/file", (fs, n) => fs.writeSync(n, "x".repeat(100))),
  },
  "append behind the first page": {
    needs: ["file", "size-64", "size-4096"],
    run: ({ fd }) => fd("/w/page", (fs, n) => fs.writeSync(n, "x", 4096)),
  },
  "write many pages": {
    needs: ["file", "size-64", "size-4096"],
    run: ({ fd }) => fd("/w/empty", (fs, n) => fs.writeSync(n, Buffer.alloc(50_000, "y"))),
  },
  "write far behind the end": {
    needs: ["file", "size-4096"],
    run: ({ fd }) => fd("/w/page", (fs, n) => fs.writeSync(n, "z", 3 * 2 ** 30)),
    undo: ({ fs }) => fs.truncateSync("/w/page", 4096),
  },
  "truncate up": { needs: ["file"], run: ({ fs }) => fs.truncateSync("/w/file", 100_000) },
  "truncate down": { needs: ["file"], run: ({ fs }) => fs.truncateSync("/w/many", 5000) },
  open: { needs: ["file"], run: ({ fs }) => fs.closeSync(fs.openSync("/w/file", "r")) },
  "open the first file of a context": {
    needs: ["file", "size-1024"],
    run: ({ other }) => other.fs.openSync("/w/file"),
  },
  readFile: { needs: [], run: ({ other }) => other.fs.readFileSync("/w/many") },
  readdir: { needs: [], run: ({ fs }) => fs.readdirSync("/w") },
  stat: { needs: [], run: ({ fs }) => fs.statSync("/w/sub/../link") },
  mount: {
    needs: ["dentry", "inode", "super", "mount"],
    run: ({ vfs }) => vfs.mount("none", "/w/sub", "tmpfs"),
    undo: ({ vfs }) => vfs.umount("/w/sub"),
  },
  "mount a driver": {
    needs: ["dentry", "inode", "super", "mount"],
    run: ({ vfs }) => vfs.mount("none", "/w/sub", "drv"),
    undo: ({ vfs }) => vfs.umount("/w/sub"),
  },
  "look a driver's name up": { needs: ["dentry", "inode"], run: ({ fs }) => fs.statSync("/w/drv/d") },
  "follow a driver's link": { needs: ["dentry", "inode", "size-16"], run: ({ fs }) => fs.statSync("/w/drv/l") },
  bind: {
    needs: ["mount"],
    run: ({ vfs }) => vfs.mount("/w/many", "/w/page", "bind"),
    undo: ({ vfs }) => vfs.umount("/w/page"),
  },
  context: { needs: ["context"], run: ({ vfs }) => vfs.context().close() },
  "context with groups": {
    needs: ["context", "size-64"],
    run: ({ vfs }) => vfs.context({ groups: Array.from({ length: 16 }, (_, i) => i) }).close(),
  },
  "set an ACL": {
    needs: ["size-48"],
    run: ({ vfs }) =>
      vfs.setfacl("/w/file", [
        { tag: 1, perm: 6 },
        { tag: 2, id: 5, perm: 6 },
        { tag: 4, perm: 4 },
        { tag: 16, perm: 6 },
        { tag: 32, perm: 4 },
      ]),
  },
  unlink: { needs: [], run: ({ fs }) => fs.unlinkSync("/w/many") },
  rmdir: { needs: [], run: ({ fs }) => fs.rmdirSync("/w/sub") },
};

/** Makes the same tree each time. */
async function workplace(t: TestScope): Promise<Workplace> {
  const vfs = await createVfs({ maxBytes: 16 << 20 });
  t.after(() => vfs.close());
  const { fs } = vfs;
  // Each cache has its chunk, with room in it.
  for (const size of SIZES) fs.writeFileSync("/first", text(0, size));
  for (const size of SIZES) fs.writeFileSync(`/first-${size}`, text(0, size));
  for (const name of fs.readdirSync("/")) fs.unlinkSync(`/${name}`);
  vfs.context({ groups: [1] }).close();
  vfs.registerDriver(objectDriver("drv", { d: { f: "x" }, l: { link: "/w/file" } }));
  fs.mkdirSync("/w/sub", { recursive: true });
  fs.writeFileSync("/w/empty", "");
  fs.writeFileSync("/w/file", "0123456789");
  fs.writeFileSync("/w/page", text("p", 4096));
  fs.writeFileSync("/w/many", text("m", 30_000));
  fs.symlinkSync("file", "/w/link");
  fs.mkdirSync("/w/drv");
  vfs.mount("none", "/w/drv", "drv");
  // An empty chunk of files would be given back, and serve files again.
  fs.openSync("/w/file");
  const other = vfs.context();
  t.after(() => other.close());
  const fd = <T>(path: string, run: (fs: FsSync, fd: number) => T): T => {
    const n = fs.openSync(path, "r+");
    try {
      return run(fs, n);
    } finally {
      fs.closeSync(n);
    }
  };
  return { vfs, fs, fd, other };
}

for (const [name, { needs, run, undo }] of Object.entries(OPERATIONS)) {
  test(`"${name}" fails with ENOSPC when any of its allocations is refused, and changes nothing`, async (t) => {
    const failed: string[] = [];
    for (const [number, cache] of CACHES.entries()) {
      const all = await workplace(t);
      const { vfs, fs } = all;
      // Memory that is only allocated the first time (a block of descriptors, an epoch's leftovers) is allocated now.
      snapshot(fs);
      const before = snapshot(fs);
      // The file that the thread's slot keeps for the next open is taken.
      fs.openSync("/w/file");
      const level = gauges(vfs);
      const code = without(vfs, number, () => codeOf(() => run(all)));
      if (code === undefined) {
        undo?.(all);
        continue;
      }
      failed.push(cache.name);
      assert.equal(code, "ENOSPC", `without ${cache.name}`);
      assert.deepEqual(gauges(vfs), level, `without ${cache.name}: objects`);
      assert.deepEqual(snapshot(fs), before, `without ${cache.name}: the tree`);
      assert.equal(
        codeOf(() => run(all)),
        undefined,
        `without ${cache.name}: then it works`,
      );
      undo?.(all);
      fs.rmSync("/w/many", { force: true });
    }
    assert.deepEqual(failed.sort(), [...needs].sort());
  });
}
