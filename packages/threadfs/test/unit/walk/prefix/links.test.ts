/**
 * Entries of the prefix cache for paths over links, dots and long names (core/vfs/walk/prefix-links.ts): a walk uses one only if all that it
 * says of links, directories and the root still holds. Paths as in a tree of pnpm.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_FDCWD, ERRNO, POINT, RENAME_EXCHANGE } from "../../../../dist/abi/abi.js";
import { CHUNK, G_PREFIX_CHUNKS, S_PREFIX_WRITTEN, WALK_EVERY } from "../../../../dist/generated/core-layout.js";
import { Context } from "../../../../dist/src/api/context.js";
import type { FsSync } from "../../../../dist/src/index.js";
import type { TestScope } from "../../../support/hooked-vfs.js";
import { freshLink, makeOld } from "../../../support/interleavings.js";
import { memoryOf } from "../../../support/memory.js";
import { type CachedTree, cachedWalker, setUp, WITHOUT_PREFIX_CACHE } from "../../../support/prefix-cache.js";
import { rawCore } from "../../../support/raw-core.js";

const STORE = "/repo/node_modules/.pnpm";
/** A package whose directory in the store has a name too long for a dentry. */
const FIRST = `${STORE}/first-package@1.2.3_with-a-peer@4.5.6/node_modules/first`;
const SECOND = `${STORE}/second@2.0.0/node_modules/second`;
/** Two links on the way: the app of a workspace, and its dependency. */
const APP = "/repo/node_modules/app";
const DIRECTORY = `${APP}/node_modules/first/lib`;
const FILE = `${DIRECTORY}/file.js`;

function makeTree(fs: FsSync): void {
  for (const dir of [FIRST, SECOND, "/repo/packages/app/node_modules", "/repo/packages/other/node_modules"]) {
    fs.mkdirSync(dir, { recursive: true });
  }
  for (const dir of [FIRST, SECOND]) {
    fs.mkdirSync(`${dir}/lib`);
    fs.writeFileSync(`${dir}/lib/file.js`, dir);
  }
  freshLink(fs, "../packages/app", APP);
  freshLink(
    fs,
    `../../../node_modules/.pnpm/${FIRST.slice(STORE.length + 1)}`,
    "/repo/packages/app/node_modules/first",
  );
  freshLink(fs, SECOND, "/repo/packages/other/node_modules/first");
}

async function pnpm(t: TestScope): Promise<CachedTree> {
  const all = await setUp(t);
  makeTree(all.fs);
  return all;
}

/** After the change the walker finds another inode (or error) than before, the same as a walk without a prefix cache. */
function changes({ walker, plain }: Pick<CachedTree, "walker" | "plain">, path: string, change: () => unknown): void {
  const before = walker.learn(path).ino(path);
  change();
  const now = plain.ino(path);
  assert.notEqual(now, before, "the change changes the result");
  for (let i = 0; i < 6; i++) assert.equal(walker.ino(path), now, `walk ${i}`);
}

/** The name of this many links that lead to each other and then to `end`; `of`: how they begin. */
function chain(fs: FsSync, dir: string, of: string, n: number, end: string): string {
  for (let i = 0; i < n; i++) freshLink(fs, i === n - 1 ? end : `${of}${i + 1}`, `${dir}/${of}${i}`);
  return `${of}0`;
}

// Taken out: prefixCacheFillLinks(). Every walk follows the links.
test("a walk does not walk a cached path over links again, and stays in rcu mode", async (t) => {
  const { walker, plain, fs } = await pnpm(t);
  const ino = fs.statSync(`${FIRST}/lib/file.js`).ino;
  assert.equal(plain.ino(FILE), ino);
  walker.learn(FILE);
  assert.equal(walker.ino(FILE), ino);
  assert.ok(!walker.passed.includes(POINT.LINK));
  assert.equal(walker.ino(`${DIRECTORY}/none`), -ERRNO.ENOENT);
  assert.equal(walker.ino(`${FILE}/`), -ERRNO.ENOTDIR);
  assert.equal(walker.ino(`${DIRECTORY}/..`), fs.statSync(FIRST).ino);
});

// Taken out: restOfBody(). The body is walked each time.
test("the body of a link at the end of a path is found in the prefix cache as the path is", async (t) => {
  const { walker, plain, fs } = await pnpm(t);
  fs.mkdirSync("/repo/node_modules/.bin");
  freshLink(fs, "../app/node_modules/first/lib/file.js", "/repo/node_modules/.bin/run");
  const path = "/repo/node_modules/.bin/run";
  const ino = plain.ino(path);
  for (let i = 0; i < 6; i++) assert.equal(walker.ino(path), ino);
  assert.equal(walker.passed.filter((id) => id === POINT.LINK).length, 1);
  const { steps } = walker;
  fs.renameSync("/repo/packages/app/node_modules/first", "/repo/packages/app/node_modules/away");
  assert.equal(walker.ino(path), -ERRNO.ENOENT);
  fs.renameSync("/repo/packages/app/node_modules/away", "/repo/packages/app/node_modules/first");
  for (let i = 0; i < 200; i++) assert.equal(walker.ino(path), ino);
  assert.ok(steps <= 6, `${steps} components`);
});

const PATHS: Readonly<Record<string, string>> = {
  "an absolute link": "/repo/packages/other/node_modules/first/lib/file.js",
  "a long name": `${FIRST}/lib/file.js`,
  "'.' and double slashes": "/repo/./packages//app/node_modules/./first/lib/file.js",
  "'..' in the path": "/repo/packages/other/../app/node_modules/first/lib/file.js",
  "'..' at the root": "/../../repo/packages/../node_modules/.pnpm/second@2.0.0/node_modules/second/lib/file.js",
  "'..' behind a link": "/repo/node_modules/app/../other/node_modules/first/lib/file.js",
  "a link at the end of the directory": "/repo/packages/app/node_modules/first/package.json",
  "double slashes at its end": `${FIRST}/lib//file.js`,
  "a path to the start": "/repo/packages/app/../../../first-file-of-all",
};

for (const [what, path] of Object.entries(PATHS)) {
  test(`the prefix cache holds a path with ${what}`, async (t) => {
    const { walker, plain, fs } = await pnpm(t);
    fs.writeFileSync(`${FIRST}/package.json`, "{}");
    fs.writeFileSync("/first-file-of-all", "x");
    const ino = plain.ino(path);
    assert.ok(ino > 0);
    assert.equal(walker.learn(path).ino(path), ino);
  });
}

/** What changes where a path over links leads. */
const CHANGES: Readonly<Record<string, (all: CachedTree) => unknown>> = {
  "the first link is replaced": ({ fs }) => {
    freshLink(fs, "../packages/other", "/spare");
    fs.renameSync("/spare", APP);
  },
  "the second link is replaced": ({ fs }) => {
    freshLink(fs, SECOND, "/spare");
    fs.renameSync("/spare", "/repo/packages/app/node_modules/first");
  },
  "the first link is removed": ({ fs }) => fs.unlinkSync(APP),
  "the second link moves away": ({ fs }) => fs.renameSync("/repo/packages/app/node_modules/first", "/moved"),
  "the first link becomes a directory": ({ fs }) => {
    fs.unlinkSync(APP);
    fs.mkdirSync(`${APP}/node_modules/first/lib`, { recursive: true });
    fs.writeFileSync(FILE, "new");
  },
  "the links change places": (all) => {
    freshLink(all.fs, "../packages/other", "/repo/node_modules/other");
    exchange(all, APP, "/repo/node_modules/other");
  },
  "the directory of the first link moves": ({ fs }) => fs.renameSync("/repo/node_modules", "/moved"),
  "a directory to which '..' leads moves": (all) => {
    all.fs.mkdirSync("/elsewhere");
    all.fs.renameSync("/repo/packages", "/elsewhere/packages");
    freshLink(all.fs, "/elsewhere/packages/app", "/spare");
    all.fs.renameSync("/spare", APP);
  },
  "the target of the first link moves": ({ fs }) => fs.renameSync("/repo/packages/app", "/moved"),
  "a directory in the body of the second link moves": ({ fs }) => fs.renameSync(STORE, "/moved"),
  "the target of the second link is exchanged": (all) => exchange(all, FIRST, SECOND),
  "the last directory is replaced": (all) => exchange(all, `${FIRST}/lib`, `${SECOND}/lib`),
  "a directory on the way is mounted over": ({ vfs }) => vfs.mount(null, "/repo/packages", "tmpfs"),
  "the target of the second link is mounted over": ({ vfs }) => vfs.mount(SECOND, FIRST, "bind"),
};

function exchange({ vfs }: Pick<CachedTree, "vfs">, a: string, b: string): void {
  // The scope closes with the tree: a call that is made at once.
  const closes: (() => unknown)[] = [];
  const { rename } = rawCore({ after: (close) => closes.push(close) }, vfs.handle);
  assert.equal(rename(a, b, RENAME_EXCHANGE), 0);
  for (const close of closes) close();
}

for (const [what, change] of Object.entries(CHANGES)) {
  // Taken out, one by one: what the comment of each part of the chain in prefix-links.ts says: addOther() for a link's dentry, addDir() in
  // gatherUp(), the loops of prefixLinksValid().
  test(`a cached walk over links notices that ${what}`, async (t) => {
    const all = await pnpm(t);
    changes(all, FILE, () => change(all));
  });
}

// Taken out: addDir(here) in gatherUp(). The walk finds a file that was made when its start was no longer below that directory.
test("a cached walk by '..' notices that its start moves after it has begun", async (t) => {
  const { walker, plain, vfs, fs } = await setUp(t);
  const { openat } = rawCore(t, vfs.handle);
  for (const dir of ["/left/start", "/left/directory-of-the-file", "/right"]) fs.mkdirSync(dir, { recursive: true });
  const fd = openat(AT_FDCWD, "/left/start", 0);
  const path = "../directory-of-the-file/new-file";
  fs.writeFileSync(`/left/start/${path}`, "");
  walker.learn(path, fd);
  fs.unlinkSync(`/left/start/${path}`);
  walker.at(POINT.WALK_START, () => {
    fs.renameSync("/left/start", "/right/start");
    fs.writeFileSync("/left/directory-of-the-file/new-file", "");
  });
  assert.equal(walker.ino(path, fd), -ERRNO.ENOENT);
  assert.equal(plain.ino(path, fd), -ERRNO.ENOENT);
});

test("a cached walk over links notices that a directory on the way loses its search permission", async (t) => {
  const all = await pnpm(t);
  const context = all.vfs.context({ uid: 1000, gid: 1000 });
  t.after(() => context.close());
  for (const dir of ["/repo", "/repo/node_modules", "/repo/packages", FIRST]) {
    const user = {
      walker: cachedWalker(t, context.handle),
      plain: cachedWalker(t, context.handle, WITHOUT_PREFIX_CACHE),
    };
    changes(user, FILE, () => all.fs.chmodSync(dir, 0o700));
    all.fs.chmodSync(dir, 0o755);
    assert.ok(user.walker.ino(FILE) > 0);
  }
});

/** A path over 4 mounts and a link. */
async function mounted(t: TestScope): Promise<CachedTree & { path: string }> {
  const all = await pnpm(t);
  const { vfs, fs } = all;
  let top = "/mounts";
  for (let n = 0; n < 4; n++) {
    fs.mkdirSync(top, { recursive: true });
    vfs.mount(null, top, "tmpfs");
    top += `/mounted-${n}`;
  }
  fs.mkdirSync(`${top}/d`, { recursive: true });
  fs.writeFileSync(`${top}/d/file.js`, "in the mounts");
  freshLink(fs, "d", `${top}/link`);
  return { ...all, path: `${top}/link/file.js` };
}

// Taken out: gatherMounts().
test("the prefix cache holds a path over mounts and links, which then stays in rcu mode", async (t) => {
  const { walker, plain, vfs, fs, path } = await mounted(t);
  const ino = plain.ino(path);
  assert.equal(walker.learn(path).ino(path), ino);
  // Any change of mounts: the entry is made again.
  fs.mkdirSync("/elsewhere");
  vfs.mount(null, "/elsewhere", "tmpfs");
  assert.equal(walker.knows(path), false);
  assert.equal(walker.learn(path).ino(path), ino);
  const fd = walker.fs.openSync(path, "r");
  walker.fs.closeSync(fd);
});

const MOUNT_CHANGES: Readonly<Record<string, (all: CachedTree) => unknown>> = {
  "the last mount is unmounted": ({ vfs }) => vfs.umount("/mounts/mounted-0/mounted-1/mounted-2"),
  "a mount in the middle is detached": ({ vfs }) => vfs.umount("/mounts/mounted-0/mounted-1", { detach: true }),
  "a mount moves": ({ vfs, fs }) => {
    fs.mkdirSync("/moved");
    vfs.mount("/mounts", "/moved", "", { move: true });
  },
  "a mount is mounted over": ({ vfs }) => vfs.mount(null, "/mounts/mounted-0", "tmpfs"),
  "a directory in the last mount is renamed": ({ fs }) =>
    fs.renameSync("/mounts/mounted-0/mounted-1/mounted-2/mounted-3", "/mounts/mounted-0/mounted-1/mounted-2/moved"),
};
for (const [what, change] of Object.entries(MOUNT_CHANGES)) {
  // Taken out: isForMount(), and separately the comparison of the mount sequence in it.
  test(`a cached walk over mounts notices that ${what}`, async (t) => {
    const all = await mounted(t);
    changes(all, all.path, () => change(all));
  });
}

// Taken out: the check of the mount sequence in finishRcu().
test("row 27: a mount that moves under a walk that began behind it makes the walk start again", async (t) => {
  const { walker, plain, vfs, fs, path } = await mounted(t);
  fs.mkdirSync("/moved");
  walker.learn(path);
  walker.at(POINT.ATTR_COPIED, () => vfs.mount("/mounts", "/moved", "", { move: true }));
  assert.equal(walker.ino(path), -ERRNO.ENOENT);
  assert.equal(walker.waits(POINT.ATTR_COPIED), false);
  assert.equal(plain.ino(path), -ERRNO.ENOENT);
});

// Taken out: the comparison of START_MOUNT in isForMount(). The walk of the bind mount ends in the file system mounted in the other one.
test("an entry over a mount is for one mount at its start", async (t) => {
  const { walker, plain, vfs, fs } = await pnpm(t);
  fs.mkdirSync("/first/directory-for-a-mount/d", { recursive: true });
  fs.writeFileSync("/first/directory-for-a-mount/d/f", "below");
  fs.mkdirSync("/second");
  vfs.mount("/first", "/second", "bind");
  vfs.mount(null, "/first/directory-for-a-mount", "tmpfs");
  fs.mkdirSync("/first/directory-for-a-mount/d");
  fs.writeFileSync("/first/directory-for-a-mount/d/f", "in the mount");
  const { openat } = rawCore(t, vfs.handle);
  const [one, two] = ["/first", "/second"].map((dir) => openat(-100, dir, 0)) as [number, number];
  const path = "directory-for-a-mount/././d/./f";
  const inos = ["/first", "/second"].map((dir) => plain.ino(`${dir}/${path}`)) as [number, number];
  assert.notEqual(inos[0], inos[1]);
  for (const runs of [6, 1, 6, 1]) {
    for (let i = 0; i < runs; i++) assert.equal(walker.ino(path, one), inos[0]);
    for (let i = 0; i < runs; i++) assert.equal(walker.ino(path, two), inos[1]);
  }
});

// Taken out: addOther() for the inode of a link. The time of access stays old.
test("a link whose times have changed is walked over, so that its time of access is updated", async (t) => {
  const { walker, fs } = await pnpm(t);
  for (const link of [APP, "/repo/packages/app/node_modules/first"]) {
    walker.learn(FILE);
    makeOld(fs, link);
    assert.ok(walker.ino(FILE) > 0);
    assert.ok(fs.lstatSync(link).atimeMs >= fs.lstatSync(link).ctimeMs, link);
  }
});

// Taken out: atimeIsFresh() in gatherLink().
test("a link whose time of access must be updated at each walk has no entry", async (t) => {
  let now = 1_700_000_000_000;
  const { vfs, fs } = await setUp(t, { now: () => now });
  const walker = cachedWalker(t, vfs.handle, undefined, { now: () => now });
  fs.mkdirSync("/directory-of-the-link");
  fs.symlinkSync("directory-of-the-link", "/link-to-the-directory-of-it");
  // The clock stands still: the time of access is that of the link's making, which is not later.
  for (let i = 0; i < 8; i++) walker.ino("/link-to-the-directory-of-it/file");
  now += 5000;
  walker.ino("/link-to-the-directory-of-it/file");
  assert.equal(fs.lstatSync("/link-to-the-directory-of-it").atimeMs, now);
});

// Taken out: walksLeft in prefixLinksValid(), or CLOCK_EVERY in atimeNeedsUpdateRcu(): the time of access is never updated again.
test("a time of access that is a day old is updated by one of the next walks", async (t) => {
  let now = 1_700_000_000_000;
  const { vfs, fs } = await setUp(t, { now: () => now });
  const walker = cachedWalker(t, vfs.handle, undefined, { now: () => now });
  fs.mkdirSync("/directory-of-the-link");
  fs.symlinkSync("directory-of-the-link", "/link-to-the-directory-of-it");
  const path = "/link-to-the-directory-of-it/none-here";
  now += 1000;
  walker.learn(path);
  const accessed = () => fs.lstatSync("/link-to-the-directory-of-it").atimeMs;
  const first = accessed();
  now += 25 * 3600 * 1000;
  let walks = 0;
  for (; accessed() === first && walks < 2 * WALK_EVERY; walks++) walker.ino(path);
  assert.ok(accessed() === now && walks <= WALK_EVERY + 2, `${walks} walks`);
});

// Taken out: "nd.links += links" in prefixLinksValid(), or its comparison with the limit.
test("cached links count: 40 on the way and at the end together, and not one more", async (t) => {
  const { walker, plain, fs } = await setUp(t);
  fs.mkdirSync("/directory-of-many-symbolic-links/end", { recursive: true });
  fs.writeFileSync("/directory-of-many-symbolic-links/end/f", "x");
  const first = chain(fs, "/directory-of-many-symbolic-links", "way", 14, "end");
  const last = chain(fs, "/directory-of-many-symbolic-links/end", "last", 26, "f");
  freshLink(fs, last, "/directory-of-many-symbolic-links/end/more");
  const path = `/directory-of-many-symbolic-links/${first}`;
  walker.learn(`${path}/f`);
  for (const [name, code] of [
    [last, 0],
    ["more", -ERRNO.ELOOP],
  ] as const) {
    for (let i = 0; i < 3; i++) {
      assert.equal(Math.min(walker.ino(`${path}/${name}`), 0), code, name);
      assert.equal(Math.min(plain.ino(`${path}/${name}`), 0), code, name);
    }
  }
});

// Taken out: the comparison with CHAIN_MAX in addDir() and addOther().
test("a chain that is too long has no entry, and changes no other", async (t) => {
  const { walker, plain, fs } = await pnpm(t);
  walker.learn(FILE);
  fs.mkdirSync("/directory-of-many-symbolic-links/end", { recursive: true });
  fs.writeFileSync("/directory-of-many-symbolic-links/end/f", "x");
  const path = `/directory-of-many-symbolic-links/${chain(fs, "/directory-of-many-symbolic-links", "way", 16, "end")}/f`;
  for (let i = 0; i < 300; i++) assert.equal(walker.ino(path), plain.ino(path));
  assert.equal(walker.knows(path), false);
  assert.equal(walker.knows(FILE), true);
});

// Taken out: the comparison with the root in isForRoot().
test("an entry that leads up or to the root is for one root only", async (t) => {
  const all = await pnpm(t);
  const { vfs, fs } = all;
  // From one start, with two roots: ".." and "/" lead to different places.
  fs.mkdirSync("/jail/repo/start/below-the-start", { recursive: true });
  for (const top of ["/jail", "/jail/repo"]) {
    fs.mkdirSync(`${top}/directory-with-a-file`);
    fs.writeFileSync(`${top}/directory-with-a-file/f`, top);
  }
  const start = "/jail/repo/start";
  freshLink(fs, "../../../directory-with-a-file", `${start}/below-the-start/link-that-leads-up`);
  freshLink(fs, "/directory-with-a-file", `${start}/below-the-start/link-to-the-root`);
  const roots = ["/jail", "/jail/repo"].map((root) => {
    const context = vfs.context({ cwd: start });
    t.after(() => context.close());
    context.chroot(root);
    return { context, ino: fs.statSync(`${root}/directory-with-a-file/f`).ino };
  });
  // One thread, so one prefix cache, and two contexts in turn.
  const walker = cachedWalker(t, vfs.handle);
  const users = roots.map(({ context, ino }) => ({
    user: new Context(walker.attachment, context.handle.ctx, false),
    ino,
  }));
  for (const name of ["link-that-leads-up", "link-to-the-root"]) {
    const path = `below-the-start/${name}/f`;
    for (const runs of [6, 1, 1, 6, 6]) {
      for (const { user, ino } of users) {
        for (let i = 0; i < runs; i++) assert.equal(user.fs.statSync(path).ino, ino, path);
      }
    }
  }
});

// Taken out: mayFollow() in prefixLinksValid(), and separately in prefixLinksGather().
test("a context whose resolution has limits does not use the entries of one without", async (t) => {
  const { vfs, fs, walker } = await pnpm(t);
  walker.learn(FILE);
  fs.mkdirSync("/jail");
  const context = vfs.context({ root: "/", resolve: "in-root" });
  t.after(() => context.close());
  const confined = cachedWalker(t, context.handle);
  for (let i = 0; i < 6; i++) assert.equal(confined.ino(FILE), walker.ino(FILE));
  assert.equal(confined.knows(FILE), false);
});

// Taken out: the comparison of the position in prefixLinksValid(). An entry is validated by the chain of another.
test("an entry whose chain has been overwritten by those of others is made again", async (t) => {
  const { walker, plain, fs, vfs } = await setUp(t);
  for (const name of ["first", "second"]) {
    fs.mkdirSync(`/directory-number-one/${name}`, { recursive: true });
    fs.writeFileSync(`/directory-number-one/${name}/file`, name);
  }
  const link = "/directory-number-one/the-link";
  freshLink(fs, "first", link);
  const file = `${link}/file`;
  // The same directories, and more behind them, so that each word of the first chain has one of its kind in its place.
  const deep = "/directory-number-one/second/of/many/others";
  fs.mkdirSync(deep, { recursive: true });
  fs.writeFileSync(`${deep}/file`, "deep");
  const way = "/directory-number-one/to-many-others";
  const written = () => memoryOf(vfs).word(walker.core.scratchBase() + S_PREFIX_WRITTEN);
  walker.learn(file);
  const begin = written();
  const ring = memoryOf(vfs).word(G_PREFIX_CHUNKS) * (CHUNK / 2);
  while (written() - begin <= ring) {
    freshLink(fs, "second/of/many/others", way);
    for (let i = 0; i < 3; i++) walker.ino(`${way}/file`);
    fs.unlinkSync(way);
  }
  fs.unlinkSync(link);
  freshLink(fs, "second", link);
  const ino = plain.ino(file);
  for (let i = 0; i < 6; i++) assert.equal(walker.ino(file), ino, `walk ${i}`);
  assert.ok(walker.knows(file));
});
