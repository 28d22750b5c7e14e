/**
 * Memory that runs out: the arena full in every way, and every single allocation of every operation refused. ENOSPC, nothing
 * lost, removing works, the room comes back.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SIZES } from "../../../../verify/dist/arena/layout.js";
import { createVfs } from "../../../dist/src/index.js";
import { gauges } from "../../support/counters.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { codeOf } from "../../support/errors.js";

const SMALL = 4 << 20;
/** How often an arena is filled, emptied and filled again. */
const ROUNDS = 3;
/** More of anything fits into no arena that small: a loop that gets here has no end. */
const MANY = 100_000;

async function small(t, maxBytes = SMALL) {
  const vfs = await createVfs({ maxBytes });
  t.after(() => vfs.close());
  return vfs;
}

/** Contents that are of one file only. */
function text(i, length) {
  return `${i} `.repeat(Math.ceil(length / 2)).slice(0, length);
}

/** Ways to fill a tree: make the i-th thing, look whether it is there as it was made, remove it. */
const KINDS = {
  "empty files": {
    make: ({ fs }, i) => fs.closeSync(fs.openSync(`/d/${i}`, "wx")),
    check: ({ fs }, i) => assert.equal(fs.statSync(`/d/${i}`).size, 0),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${i}`),
  },
  "small files": {
    make: ({ fs }, i) => fs.writeFileSync(`/d/${i}`, text(i, 100)),
    check: ({ fs }, i) => assert.equal(fs.readFileSync(`/d/${i}`, "latin1"), text(i, 100)),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${i}`),
  },
  "long names": {
    make: ({ fs }, i) => fs.closeSync(fs.openSync(`/d/${"n".repeat(200)}${i}`, "wx")),
    check: ({ fs }, i) => assert.ok(fs.statSync(`/d/${"n".repeat(200)}${i}`).isFile()),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${"n".repeat(200)}${i}`),
  },
  "big contents": {
    make: ({ fs }, i) => fs.writeFileSync(`/d/${i}`, text(i, 100_000)),
    check: ({ fs }, i) => assert.equal(fs.readFileSync(`/d/${i}`, "latin1"), text(i, 100_000)),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${i}`),
  },
  directories: {
    make: ({ fs }, i) => fs.mkdirSync(`/d/${i}`),
    check: ({ fs }, i) => assert.equal(fs.statSync(`/d/${i}`).nlink, 2),
    remove: ({ fs }, i) => fs.rmdirSync(`/d/${i}`),
  },
  "symbolic links": {
    make: ({ fs }, i) => fs.symlinkSync(text(i, 60), `/d/${i}`),
    check: ({ fs }, i) => assert.equal(fs.readlinkSync(`/d/${i}`), text(i, 60)),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${i}`),
  },
  "hard links": {
    prepare({ fs }) {
      for (let k = 0; k < 100; k++) fs.writeFileSync(`/to-${k}`, `${k}`);
    },
    make: ({ fs }, i) => fs.linkSync(`/to-${i % 100}`, `/d/${i}`),
    check: ({ fs }, i) => assert.equal(fs.readFileSync(`/d/${i}`, "latin1"), `${i % 100}`),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${i}`),
    after({ fs }, n) {
      for (let k = 0; k < 100; k++) assert.equal(fs.statSync(`/to-${k}`).nlink, 1 + Math.ceil((n - k) / 100));
    },
  },
  mounts: {
    prepare({ fs }) {
      for (let i = 0; i < 2500; i++) fs.mkdirSync(`/d/${i}`);
    },
    most: 2500,
    bytes: 2 << 20,
    make: (vfs, i) => vfs.mount("none", `/d/${i}`, "tmpfs"),
    check: ({ fs }, i) => assert.equal(fs.statSync(`/d/${i}`).mode & 0o1777, 0o1777),
    remove: (vfs, i) => vfs.umount(`/d/${i}`),
  },
};

/** Makes things until there is no room: how many there are. What an operation of two steps left half made is removed. */
function fill(vfs, kind) {
  const { make, remove, most = MANY } = KINDS[kind];
  for (let i = 0; i < most; i++) {
    const code = codeOf(() => make(vfs, i));
    if (code === undefined) continue;
    assert.equal(code, "ENOSPC", kind);
    const left = codeOf(() => remove(vfs, i));
    assert.ok([undefined, "ENOENT", "EINVAL"].includes(left), `${kind}: ${left}`);
    return i;
  }
  return most;
}

for (const [kind, { prepare, check, remove, after, most, bytes }] of Object.entries(KINDS)) {
  test(`full of ${kind}: nothing is lost, removing works, the room comes back`, async (t) => {
    const vfs = await small(t, bytes);
    vfs.fs.mkdirSync("/d");
    prepare?.(vfs);
    // The first open file takes its two chunks before anything is counted.
    vfs.fs.readdirSync("/d");
    const level = gauges(vfs);
    let first;
    for (let round = 0; round < ROUNDS; round++) {
      const n = fill(vfs, kind);
      first ??= n;
      assert.ok(n >= 10 && n >= first * 0.9, `round ${round}: ${n} of ${first}`);
      assert.notEqual(n, most, "it was filled");
      for (let i = 0; i < n; i++) check(vfs, i);
      if (prepare === undefined) assert.equal(vfs.fs.readdirSync("/d").length, n);
      after?.(vfs, n);
      for (let i = 0; i < n; i += 2) remove(vfs, i);
      for (let i = 1; i < n; i += 2) check(vfs, i);
      for (let i = 1; i < n; i += 2) remove(vfs, i);
      if (prepare === undefined) assert.deepEqual(vfs.fs.readdirSync("/d"), []);
      assert.deepEqual(gauges(vfs), level);
    }
  });
}

test("the memory grows by whole huge pages, and to the last chunk of what it may", async (t) => {
  const CHUNK = 65536;
  const HUGE = 2 << 20;
  for (const maxBytes of [SMALL, 3 * HUGE + 5 * CHUNK, 3 * HUGE + 5 * CHUNK + 1]) {
    const { fs, handle } = await small(t, maxBytes);
    const most = maxBytes - (maxBytes % CHUNK);
    const size = () => handle.memory.buffer.byteLength;
    const sizes = new Set([size()]);
    for (let i = 0; i < MANY && codeOf(() => fs.writeFileSync(`/${i}`, text(i, 4000))) === undefined; i++)
      sizes.add(size());
    assert.equal(size(), most);
    for (const bytes of sizes) assert.ok(bytes % HUGE === 0 || bytes === most, `${bytes} of ${maxBytes}`);
  }
});

test("one file that grows until there is no room keeps what was written, and can be cut and grown again", async (t) => {
  const vfs = await small(t);
  const { fs } = vfs;
  const piece = Buffer.alloc(10_000, "abcdefghij");
  let first;
  for (let round = 0; round < ROUNDS; round++) {
    const fd = fs.openSync("/f", "a+");
    let size = 0;
    for (let n = 0; n < MANY; n++) {
      let wrote = 0;
      const code = codeOf(() => {
        wrote = fs.writeSync(fd, piece);
      });
      size += wrote;
      if (code === undefined) continue;
      assert.equal(code, "ENOSPC");
      break;
    }
    first ??= size;
    assert.ok(size >= first * 0.9 && size > 1 << 20, `${size} of ${first}`);
    assert.equal(fs.fstatSync(fd).size, size);
    const all = fs.readFileSync("/f");
    assert.equal(all.length, size);
    for (let at = 0; at < size; at++) if (all[at] !== piece[at % 10]) assert.fail(`byte ${at}`);
    fs.ftruncateSync(fd, 5);
    assert.equal(fs.readFileSync("/f", "latin1"), "abcde");
    fs.ftruncateSync(fd, 0);
    fs.closeSync(fd);
  }
});

test("full of contexts: each works, closing makes room", async (t) => {
  const vfs = await small(t);
  vfs.fs.writeFileSync("/f", "x");
  const level = gauges(vfs);
  let first;
  for (let round = 0; round < ROUNDS; round++) {
    const contexts = [];
    let code;
    while (contexts.length < 2000 && code === undefined) {
      code = codeOf(() => contexts.push(vfs.context({ uid: contexts.length, groups: [1, 2, 3] })));
    }
    assert.equal(code, "ENOSPC");
    first ??= contexts.length;
    assert.ok(contexts.length >= 10 && contexts.length >= first * 0.9, `${contexts.length} of ${first}`);
    for (const { fs } of contexts) assert.equal(fs.readFileSync("/f", "latin1"), "x");
    for (const context of contexts) context.close();
    assert.deepEqual(gauges(vfs), level);
  }
});

test("full of descriptors: those that are open work, closing makes room", async (t) => {
  const vfs = await small(t);
  vfs.fs.writeFileSync("/f", "x");
  const level = gauges(vfs);
  let first;
  for (let round = 0; round < ROUNDS; round++) {
    const contexts = [];
    const open = [];
    let code;
    while (code !== "ENOSPC" && contexts.length < 20) {
      const made = codeOf(() => contexts.push(vfs.context()));
      if (made !== undefined) break;
      const { fs } = contexts.at(-1);
      code = undefined;
      while (code === undefined) code = codeOf(() => open.push([fs, fs.openSync("/f")]));
      assert.ok(code === "EMFILE" || code === "ENOSPC", code);
    }
    assert.equal(code, "ENOSPC");
    first ??= open.length;
    assert.ok(open.length >= 1000 && open.length >= first * 0.9, `${open.length} of ${first}`);
    const into = Buffer.alloc(1);
    for (const [fs, fd] of open) assert.equal(fs.readSync(fd, into, 0, 1, 0), 1);
    for (const context of contexts) context.close();
    assert.deepEqual(gauges(vfs), level);
  }
});

test("a full tree can be looked at, changed in place, and emptied by rm -r", async (t) => {
  const vfs = await small(t);
  const { fs } = vfs;
  fs.mkdirSync("/d");
  fs.mkdirSync("/e");
  const n = fill(vfs, "small files");
  const files = Array.from({ length: n }, (_, i) => i);
  // Everything that could want memory is used up, not only what the filling asked for.
  for (const size of [4096, 2048, 1024, 512, 256, 128, 64, 32, 16]) {
    for (const i of files) if (codeOf(() => fs.writeFileSync(`/d/${i}`, text(i, size))) !== undefined) break;
  }
  while (codeOf(() => fs.linkSync("/d/0", `/e/${fs.statSync("/d/0").nlink}`)) === undefined);
  assert.equal(
    codeOf(() => fs.mkdirSync("/new")),
    "ENOSPC",
  );
  assert.equal(
    codeOf(() => fs.symlinkSync("x", "/new")),
    "ENOSPC",
  );
  assert.equal(fs.existsSync("/new"), false);
  assert.equal(fs.readdirSync("/d").length, n);
  fs.chmodSync("/d/1", 0o600);
  fs.utimesSync("/d/1", 1, 2);
  assert.deepEqual([fs.statSync("/d/1").mode & 0o777, fs.statSync("/d/1").mtimeMs], [0o600, 2000]);
  assert.equal(
    codeOf(() => fs.renameSync("/d/1", "/d/2")),
    undefined,
    "onto what is there",
  );
  const fd = fs.openSync("/d/2", "r+");
  assert.equal(fs.writeSync(fd, "Y", 0), 1);
  fs.closeSync(fd);
  assert.equal(fs.readFileSync("/d/2", "latin1")[0], "Y");
  fs.rmSync("/d", { recursive: true });
  fs.rmSync("/e", { recursive: true });
  assert.deepEqual(fs.readdirSync("/"), []);
  fs.mkdirSync("/d");
  assert.ok(fill(vfs, "small files") >= n * 0.9);
});

test("the room that contents have given back names can use, and contents again", async (t) => {
  // The other way it is not so: memory that once held dentries or inodes holds nothing else for ever (docs/memory.md).
  const vfs = await small(t);
  vfs.fs.mkdirSync("/d");
  const count = {};
  for (const kind of ["big contents", "big contents", "symbolic links", "small files", "symbolic links"]) {
    const n = fill(vfs, kind);
    assert.ok(n >= 10, `${kind}: ${n}`);
    count[kind] ??= n;
    assert.ok(n >= count[kind] * 0.5, `${kind}: ${n} of ${count[kind]}`);
    for (let i = 0; i < n; i++) KINDS[kind].remove(vfs, i);
  }
});

// ---------------------------------------------------------------------------------------------- any allocation

/** Slab caches by number (core/mem/alloc/slab.ts); from 7 on the sized ones, 16 bytes to 4 KiB. */
const CACHES = {
  dentry: 1,
  inode: 2,
  mount: 3,
  super: 4,
  file: 5,
  context: 6,
  ...Object.fromEntries(SIZES.map((size, i) => [`size-${size}`, 7 + i])),
};
/** Words in memory (core/mem/layout.ts). */
const H_MAX_CHUNKS = 1032;
const H_CHUNK_TABLE = 1036;
const G_PAGE_FREE = 4744;
const G_CACHES = 8192;

/** Runs with one cache empty and no chunk to be had: every allocation from that cache fails, all others work. */
function without(vfs, cache, run) {
  const words = new Uint32Array(vfs.handle.memory.buffer);
  const at = (address) => address >>> 2;
  const next = (chunk) => at(words[at(H_CHUNK_TABLE)] + chunk * 32 + 20);
  const prev = (chunk) => at(words[at(H_CHUNK_TABLE)] + chunk * 32 + 16);
  const room = at(G_CACHES + CACHES[cache] * 64 + 12);
  const saved = [room, at(H_MAX_CHUNKS), at(G_PAGE_FREE)].map((word) => [word, words[word]]);
  for (const [word] of saved) words[word] = 0;
  try {
    return run();
  } finally {
    for (const [word, value] of saved) {
      // What has come back meanwhile goes before what was there.
      let last = word === at(H_MAX_CHUNKS) ? 0 : words[word];
      while (last !== 0 && words[next(last)] !== 0) last = words[next(last)];
      if (last === 0) words[word] = value;
      else {
        words[next(last)] = value;
        if (word === room && value !== 0) words[prev(value)] = last;
      }
    }
  }
}

/** The whole tree as a user sees it: names, types, links, sizes, times of change, contents. */
function picture(fs, dir = "/") {
  const shown = {};
  for (const name of fs.readdirSync(dir)) {
    const path = `${dir === "/" ? "" : dir}/${name}`;
    const { ino, mode, nlink, size, blocks, mtimeMs, ctimeMs } = fs.lstatSync(path);
    const stats = { ino, mode, nlink, size, blocks, mtimeMs, ctimeMs };
    if ((mode & 0o170000) === 0o040000) shown[name] = { ...stats, inside: picture(fs, path) };
    else if ((mode & 0o170000) === 0o120000) shown[name] = { ...stats, body: fs.readlinkSync(path) };
    else shown[name] = { ...stats, body: fs.readFileSync(path, "latin1") };
  }
  return shown;
}

const LONG = "l".repeat(150);

/** Operations, each with the caches it must not do without. `undo` takes a success back. */
const OPERATIONS = {
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
  open: { needs: ["file"], run: ({ fs }) => fs.closeSync(fs.openSync("/w/file")) },
  "open the first file of a context": {
    needs: ["file", "size-1024"],
    run: ({ other }) => other.fs.readFileSync("/w/file"),
  },
  readdir: { needs: ["file"], run: ({ fs }) => fs.readdirSync("/w") },
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

/** A tree to work on, the same each time. */
async function workplace(t) {
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
  const other = vfs.context();
  t.after(() => other.close());
  const fd = (path, run) => {
    const n = fs.openSync(path, "r+");
    try {
      return run(fs, n);
    } finally {
      fs.closeSync(n);
    }
  };
  return { vfs, fs, fd, other };
}

describe("each allocation refused", () => {
  for (const [name, { needs, run, undo }] of Object.entries(OPERATIONS)) {
    test(`${name}: ENOSPC, and all is as it was`, async (t) => {
      const failed = [];
      for (const cache of Object.keys(CACHES)) {
        const all = await workplace(t);
        const { vfs, fs } = all;
        // Whatever only grows the first time (a block of descriptors, an epoch's leftovers) has done so.
        picture(fs);
        const level = gauges(vfs);
        const before = picture(fs);
        gauges(vfs);
        const code = without(vfs, cache, () => codeOf(() => run(all)));
        if (code === undefined) {
          undo?.(all);
          continue;
        }
        failed.push(cache);
        assert.equal(code, "ENOSPC", `without ${cache}`);
        assert.deepEqual(gauges(vfs), level, `without ${cache}: objects`);
        assert.deepEqual(picture(fs), before, `without ${cache}: the tree`);
        assert.equal(
          codeOf(() => run(all)),
          undefined,
          `without ${cache}: then it works`,
        );
        undo?.(all);
        fs.rmSync("/w/many", { force: true });
      }
      assert.deepEqual(failed.sort(), [...needs].sort());
    });
  }

  test("writing stops where the room ends, at every number of pages", async (t) => {
    const vfs = await small(t);
    const { fs } = vfs;
    // Room for another number of pages each time; the file has what the call says it wrote, to the byte.
    fs.writeFileSync("/ballast", Buffer.alloc(200_000));
    const big = fs.openSync("/big", "w");
    while (codeOf(() => fs.writeSync(big, Buffer.alloc(65_536))) === undefined);
    fs.closeSync(big);
    const pattern = Buffer.from(Array.from({ length: 60_000 }, (_, i) => i % 251));
    for (let pages = 0; pages < 20; pages++) {
      fs.truncateSync("/ballast", 200_000 - pages * 4096);
      const fd = fs.openSync("/part", "w+");
      let wrote = 0;
      const code = codeOf(() => {
        wrote = fs.writeSync(fd, pattern);
      });
      assert.ok(code === undefined ? wrote > 0 : code === "ENOSPC", code);
      assert.equal(fs.fstatSync(fd).size, wrote);
      assert.ok(fs.readFileSync("/part").equals(pattern.subarray(0, wrote)), `${pages} pages`);
      fs.closeSync(fd);
      fs.unlinkSync("/part");
      fs.truncateSync("/ballast", 200_000 - pages * 4096);
    }
    assert.equal(fs.statSync("/ballast").size, 200_000 - 19 * 4096);
  });
});
