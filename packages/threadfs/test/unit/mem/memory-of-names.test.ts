/** Memory of names and inodes that are gone: it serves contents again as soon as memory is short and no thread can look into it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { POINT } from "../../../dist/abi/abi.js";
import { attachVfs, createVfs, type FsSync, type HostOptions, type Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import type { TestScope } from "../../support/hooked-vfs.js";

const SIZE = 4 << 20;

async function small(t: TestScope, options: HostOptions = {}): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: SIZE, ...options });
  t.after(() => vfs.close());
  return vfs;
}

/** Makes empty files until the memory is full; returns how many. */
function fill(fs: FsSync): number {
  for (let n = 0; ; n++) {
    try {
      fs.closeSync(fs.openSync(`/d/${n}`, "wx"));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
      return n;
    }
  }
}

function empty(fs: FsSync, count: number): void {
  for (let n = 0; n < count; n++) fs.unlinkSync(`/d/${n}`);
}

/** Writes to a file until the memory is full; returns the size. */
function write(fs: FsSync, path: string): number {
  const piece = Buffer.alloc(10_000, "x");
  const fd = fs.openSync(path, "a");
  try {
    for (;;) fs.writeSync(fd, piece);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  } finally {
    fs.closeSync(fd);
  }
  return fs.statSync(path).size;
}

// Fails if chunks of a typed cache keep their type for ever.
test("an arena once full of empty files has room for contents when they are gone, again and again", async (t) => {
  const vfs = await small(t);
  const { fs } = vfs;
  fs.mkdirSync("/d");
  const room = write(fs, "/first");
  fs.unlinkSync("/first");
  let files = 0;
  for (let round = 0; round < 3; round++) {
    const made = fill(fs);
    if (round > 0) assert.ok(made > files * 0.95, `${made} files, then ${files}`);
    files = made;
    empty(fs, files);
    const size = write(fs, "/contents");
    // Some chunks stay with names: those that hold one, of the tree itself.
    assert.ok(size > room * 0.9, `${size} of ${room} bytes in round ${round}`);
    assert.deepEqual(check(vfs.handle.memory).problems, []);
    fs.unlinkSync("/contents");
  }
});

test("links, long names and groups get that memory too", async (t) => {
  const { fs } = await small(t);
  fs.mkdirSync("/d");
  empty(fs, fill(fs));
  let links = 0;
  assert.throws(
    () => {
      for (; ; links++) fs.symlinkSync("t".repeat(3000), `/l${links}`);
    },
    { code: "ENOSPC" },
  );
  assert.ok(links > 500, `${links} links`);
  for (let n = 0; n < links; n++) assert.equal(fs.readlinkSync(`/l${n}`).length, 3000);
});

test("no two files have had the same inode number, although memory came back as inodes", async (t) => {
  const { fs } = await small(t);
  fs.mkdirSync("/d");
  const seen = new Set<number>();
  for (let round = 0; round < 3; round++) {
    const files = fill(fs);
    for (let n = 0; n < files; n++) {
      const { ino } = fs.statSync(`/d/${n}`);
      assert.ok(!seen.has(ino), `number ${ino} again`);
      seen.add(ino);
    }
    empty(fs, files);
    write(fs, "/contents");
    fs.unlinkSync("/contents");
  }
});

test("a thread that knows the directories that are gone finds what stands in their place", async (t) => {
  const vfs = await small(t);
  const other = await attachVfs(vfs.handle);
  t.after(() => other.close());
  const { fs } = vfs;
  const long = "a-directory-with-a-long-name";
  const paths = Array.from({ length: 40 }, (_, n) => `/${long}/${n}/${long}`);
  const make = (numbers: number[]) => {
    for (const n of numbers) {
      fs.mkdirSync(paths[n] ?? "", { recursive: true });
      fs.writeFileSync(`${paths[n]}/in-${n}`, "");
    }
  };
  /** Which files both threads find, each in its own directory; looked at often enough to be in the prefix caches. */
  const found = () =>
    [vfs, other].map((each) => {
      let names = "";
      for (let again = 0; again < 3; again++) {
        names = paths.flatMap((path, n) => (each.fs.existsSync(`${path}/in-${n}`) ? [n] : [])).join();
      }
      return names;
    });
  const numbers = [...paths.keys()];
  make(numbers);
  fs.mkdirSync("/d");
  const room = write(fs, "/first");
  fs.unlinkSync("/first");
  const files = fill(fs);
  assert.deepEqual(found(), [numbers.join(), numbers.join()]);
  fs.rmSync(`/${long}`, { recursive: true });
  empty(fs, files);
  const size = write(fs, "/contents");
  assert.ok(size > room * 0.8, `${size} of ${room} bytes`);
  assert.deepEqual(found(), ["", ""]);
  fs.unlinkSync("/contents");
  make(numbers.toReversed());
  assert.deepEqual(found(), [numbers.join(), numbers.join()]);
});

/** Makes directories, each with one in it, until the memory is full or there are so many. */
function fillWithDirectories(fs: FsSync, most: number): void {
  try {
    for (let n = 0; n < most; n++) fs.mkdirSync(`/e/${n}/in`, { recursive: true });
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  }
}

// Fails if the prefix caches keep their entries: other directories have the addresses and the sequences of those that are gone.
test("a thread that knows the directories that are gone does not find what stands in their memory", async (t) => {
  const vfs = await small(t);
  const other = await attachVfs(vfs.handle);
  t.after(() => other.close());
  const { fs } = vfs;
  fs.mkdirSync("/d");
  fs.mkdirSync("/e");
  const room = write(fs, "/first");
  fs.unlinkSync("/first");
  // A chunk in which one name is left stays with names: the directories are to stand in many.
  const paths = Array.from({ length: 40 }, (_, n) => `/a-directory-with-a-long-name-${n}`);
  for (let n = 0; n < 4000; n++) {
    fs.closeSync(fs.openSync(`/d/${n}`, "wx"));
    const path = paths[n / 100];
    if (path !== undefined) fs.mkdirSync(path);
  }
  for (const each of [vfs, other]) {
    // Looked up often enough to be in the prefix caches.
    for (let again = 0; again < 3; again++)
      for (const path of paths) assert.equal(each.fs.existsSync(`${path}/in`), false);
  }
  for (const path of paths) fs.rmdirSync(path);
  empty(fs, 4000);
  const size = write(fs, "/contents");
  assert.ok(size > room * 0.9, `${size} of ${room} bytes`);
  fs.unlinkSync("/contents");
  // Chunks of names and of inodes take turns. More names than inodes at first, and they change places.
  fs.writeFileSync("/e/f", "");
  for (let n = 0; n < 600; n++) fs.linkSync("/e/f", `/e/link-${n}`);
  fillWithDirectories(fs, 10_000);
  for (const each of [vfs, other]) {
    for (const path of paths) assert.equal(each.fs.existsSync(`${path}/in`), false, path);
  }
});

// Fails if the memory is given back without waiting for sections that are open.
test("while another thread is in a walk, the memory stays with names; afterwards it is given back", async (t) => {
  const tree = await treeFor(t, { maxBytes: SIZE });
  const { vfs } = tree;
  vfs.fs.mkdirSync("/d");
  vfs.fs.mkdirSync("/walked");
  vfs.fs.writeFileSync("/walked/f", "");
  const walker = await tree.attach();
  const room = write(vfs.fs, "/first");
  vfs.fs.unlinkSync("/first");
  empty(vfs.fs, fill(vfs.fs));
  let during = -1;
  walker.at(POINT.PARENT_CHECK, () => {
    during = write(vfs.fs, "/contents");
  });
  assert.ok(walker.fs.statSync("/walked/f").isFile());
  assert.ok(during >= 0 && during < room / 4, `${during} of ${room} bytes during a walk`);
  const size = write(vfs.fs, "/contents");
  assert.ok(size > room * 0.9, `${size} of ${room} bytes afterwards`);
});
