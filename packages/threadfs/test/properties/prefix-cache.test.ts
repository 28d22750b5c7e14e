/**
 * Random changes of a tree by one thread, and after each the same walks with the prefix cache and without it, on the build
 * that ships: both end at the same inode, whatever the cache held before.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RENAME_EXCHANGE } from "../../dist/abi/abi.js";
import { type Context, createVfs, type FsSync, type Vfs } from "../../dist/src/index.js";
import { cachedWalker, WITHOUT_PREFIX_CACHE } from "../support/prefix-cache.js";
import { type RawCore, rawCore } from "../support/raw-core.js";
import { check, codeOr } from "./support.js";

/** Few names, so that a removed directory is made again and one name belongs to several directories in turn. */
const names = ["directory-number-one", "directory-number-two", "short"] as const;
const directory = fc
  .array(fc.constantFrom(...names), { minLength: 1, maxLength: 4 })
  .map((parts) => `/${parts.join("/")}`);

interface ChangedTree {
  readonly fs: FsSync;
  readonly raw: RawCore;
  readonly vfs: Vfs;
  readonly context: Context;
}

const CHANGES = {
  mkdir: ({ fs }, at) => fs.mkdirSync(at, { recursive: true }),
  rmdir: ({ fs }, at) => fs.rmdirSync(at),
  rm: ({ fs }, at) => fs.rmSync(at, { recursive: true }),
  rename: ({ fs }, at, to) => fs.renameSync(at, to),
  exchange: ({ raw }, at, to) => raw.rename(at, to, RENAME_EXCHANGE),
  chmod: ({ fs }, at, to) => fs.chmodSync(at, to.length % 2 ? 0o700 : 0o755),
  symlink: ({ fs }, at, to) => fs.symlinkSync(to, at),
  file: ({ fs }, at) => fs.writeFileSync(at, "x"),
  unlink: ({ fs }, at) => fs.unlinkSync(at),
  mount: ({ vfs }, at) => vfs.mount(null, at, "tmpfs"),
  bind: ({ vfs }, at, to) => vfs.mount(to, at, "bind"),
  umount: ({ vfs }, at) => vfs.umount(at, { detach: true }),
  chdir: ({ context }, at) => context.chdir(at),
  shrink({ vfs }) {
    vfs.synchronizeRcu();
    vfs.shrink(1 << 20);
  },
} satisfies Record<string, (tree: ChangedTree, at: string, to: string) => unknown>;

type ChangeName = keyof typeof CHANGES;

const allChanges = Object.keys(CHANGES) as ChangeName[];
const weighted: ChangeName[] = ["mkdir", "mkdir", "mkdir", "rename", "rename", "exchange", ...allChanges];
const change = fc.record({ kind: fc.constantFrom(...weighted), at: directory, to: directory });

/** Every path of up to three of the names, with one more name behind it. */
function pathsToWalk(): string[] {
  let level = [""];
  const all: string[] = [];
  for (let depth = 0; depth < 3; depth++) {
    level = level.flatMap((above) => names.map((name) => `${above}/${name}`));
    all.push(...level);
  }
  return all.flatMap((path) => [`${path}/${names[0]}`, `${path.slice(1)}/${names[2]}`]);
}

const paths = pathsToWalk();

test("walks with and without the prefix cache end at the same inode, whatever changes between them", async (t) => {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  const context = vfs.context({ uid: 1000, gid: 1000 });
  t.after(() => context.close());
  const raw = rawCore(t, vfs.handle);
  let cached = 0;
  const property = fc.property(fc.array(change, { minLength: 10, maxLength: 40, size: "max" }), (list) => {
    const { fs } = vfs;
    // New ones for each run, so that a failure depends on its own list alone.
    const withCache = cachedWalker(t, context.handle, 0);
    const without = cachedWalker(t, context.handle, WITHOUT_PREFIX_CACHE);
    let made = 0;
    for (const name of names) {
      for (const path of [`/${name}`, `/${name}/${names[0]}`, `/${name}/${names[1]}`])
        fs.mkdirSync(path, { recursive: true });
    }
    for (const one of list) {
      codeOr(() => CHANGES[one.kind]({ fs, raw, vfs, context }, one.at, one.to));
      // A few of the paths often, so that the cache holds them, and all of them once in a while.
      made += 1;
      const few = paths.slice(made % 11, (made % 11) + 12);
      for (const walked of made % 16 === 0 ? paths : [...few, ...few, ...few]) {
        assert.equal(withCache.ino(walked), without.ino(walked), `${walked} after ${JSON.stringify(one)}`);
      }
    }
    cached += [41, 47].flatMap((length) => withCache.entries(length) ?? []).length;
    for (const { attachment } of [withCache, without]) attachment.close();
    codeOr(() => context.chdir("/"));
    for (let i = 0; i < 50 && clear(vfs); i++);
  });
  await check(t, property, 150);
  assert.ok(cached > 0, "the cache held directories");
});

/** Removes everything; returns whether something stood in the way, so that another call is needed. */
function clear(vfs: Vfs): boolean {
  let left = false;
  const visit = (at: string): void => {
    for (const entry of vfs.fs.readdirSync(at, { withFileTypes: true })) {
      const path = `${at}/${entry.name}`;
      for (let i = 0; i < 40 && codeOr(() => vfs.umount(path, { detach: true })).code === undefined; i++) left = true;
      if (entry.isDirectory() && path.length < 200) codeOr(() => visit(path));
      codeOr(() => vfs.fs.rmSync(path, { recursive: true }));
    }
  };
  visit("/.");
  return left || vfs.fs.readdirSync("/").length > 0;
}
