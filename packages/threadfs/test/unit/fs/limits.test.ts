/** The limits of a file system in memory. What calls return at a limit is held to the kernel in test/conformance/linux/limits.test.ts. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { POINT } from "../../../dist/abi/abi.js";
import { type CreateOptions, createVfs, type MountOptions, OPEN_FLAGS, type Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { refused } from "../../support/errors.js";
import { threads } from "../../support/threads.js";

const PAGE = 4096;
const KIB = 1024;

async function tree(t: TestContext, options: Partial<CreateOptions> = {}): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 8 << 20, ...options });
  t.after(() => {
    assert.deepEqual(check(vfs.handle.memory).problems, []);
    vfs.close();
  });
  return vfs;
}

/** What is left: blocks and inodes. */
function left(vfs: Vfs, path = "/"): number[] {
  const { bfree, bavail, ffree } = vfs.fs.statfsSync(path);
  assert.equal(bavail, bfree);
  return [bfree, ffree];
}

describe("what counts against the size of a tmpfs", () => {
  test("pages count: those of contents that are stored, whatever frees them", async (t) => {
    const vfs = await tree(t, { size: 5 * PAGE - 1, nrInodes: 100 });
    const { fs, linux } = vfs;
    const { type, bsize, blocks, files } = fs.statfsSync("/");
    assert.deepEqual([type, bsize, blocks, files], [0x01021994, PAGE, 5, 100]);
    const fd = fs.openSync("/f", "w+");
    fs.ftruncateSync(fd, 100 * PAGE);
    assert.deepEqual(left(vfs), [5, 98]);
    assert.equal(fs.writeSync(fd, "x".repeat(10 * PAGE), 50), 5 * PAGE - 50);
    refused("ENOSPC", () => fs.writeSync(fd, "x", 5 * PAGE));
    // What is stored can be written again.
    assert.equal(fs.writeSync(fd, "y".repeat(5 * PAGE), 0), 5 * PAGE);
    linux.fallocateSync(fd, PAGE, 2 * PAGE, { punchHole: true });
    assert.deepEqual(left(vfs), [2, 98]);
    fs.ftruncateSync(fd, 1);
    assert.deepEqual(left(vfs), [4, 98]);
    fs.unlinkSync("/f");
    assert.deepEqual(left(vfs), [4, 98], "a file that is open");
    fs.closeSync(fd);
    assert.deepEqual(left(vfs), [5, 99]);
    fs.writeFileSync("/g", "g".repeat(5 * PAGE));
    refused("ENOSPC", () => fs.symlinkSync("s".repeat(128), "/l"));
    refused("ENOSPC", () => fs.writeFileSync("/h", "h"));
    fs.symlinkSync("s".repeat(127), "/short");
    fs.renameSync("/h", "/g");
    assert.deepEqual(left(vfs), [5, 97]);
    fs.symlinkSync("s".repeat(128), "/l");
    assert.deepEqual([fs.lstatSync("/l").blocks, ...left(vfs)], [8, 4, 96]);
    fs.unlinkSync("/l");
    assert.deepEqual(left(vfs), [5, 97]);
  });
});

describe("what counts against the inodes of a tmpfs", () => {
  test("inodes count, with the root, each further name, and files without one", async (t) => {
    const vfs = await tree(t, { nrInodes: 6 });
    const { fs, linux } = vfs;
    fs.mkdirSync("/d");
    fs.writeFileSync("/f", "");
    fs.linkSync("/f", "/d/g");
    linux.mkfifoSync("/p");
    const fd = fs.openSync("/d", OPEN_FLAGS.O_TMPFILE | fs.constants.O_RDWR);
    assert.equal(fs.statfsSync("/").ffree, 0);
    for (const make of [
      () => fs.mkdirSync("/x"),
      () => fs.writeFileSync("/x", ""),
      () => fs.symlinkSync("f", "/x"),
      () => fs.linkSync("/f", "/x"),
      () => linux.mkfifoSync("/x"),
      () => linux.mknodSync("/x"),
      () => fs.openSync("/d", OPEN_FLAGS.O_TMPFILE | fs.constants.O_RDWR),
    ])
      refused("ENOSPC", make);
    assert.deepEqual(fs.readdirSync("/"), ["d", "f", "p"]);
    // The first name of a file counts with the file.
    linux.linkatSync(fd, "/x");
    assert.equal(fs.statfsSync("/").ffree, 0);
    fs.closeSync(fd);
    fs.renameSync("/x", "/d/g");
    assert.equal(fs.statfsSync("/").ffree, 1, "a name was replaced");
    fs.renameSync("/p", "/d/g");
    assert.equal(fs.statfsSync("/").ffree, 2, "a file was replaced");
    linux.renameat2Sync("/d/g", "/f", { exchange: true });
    fs.rmSync("/d", { recursive: true });
    fs.unlinkSync("/f");
    assert.deepEqual([fs.statfsSync("/").files, fs.statfsSync("/").ffree], [6, 5]);
  });

  test("attributes count for parts of an inode", async (t) => {
    const vfs = await tree(t, { nrInodes: 4 });
    const { fs, linux } = vfs;
    fs.writeFileSync("/f", "");
    linux.setxattrSync("/f", "user.a", "x".repeat(KIB));
    assert.equal(fs.statfsSync("/").ffree, 0);
    refused("ENOSPC", () => linux.setxattrSync("/f", "user.b", "x".repeat(KIB)));
    refused("ENOSPC", () => linux.setxattrSync("/f", "user.a", "x".repeat(KIB)));
    linux.setxattrSync("/f", "user.a", "x".repeat(10));
    assert.equal(fs.statfsSync("/").ffree, 1);
    linux.setxattrSync("/f", "user.b", "x".repeat(KIB));
    linux.removexattrSync("/f", "user.b");
    linux.removexattrSync("/f", "user.a");
    assert.equal(fs.statfsSync("/").ffree, 2);
    linux.setxattrSync("/f", "user.a", "x".repeat(1500));
    fs.unlinkSync("/f");
    assert.equal(fs.statfsSync("/").ffree, 3);
  });
});

describe("at the limits of a tmpfs", () => {
  test("fallocate is all or nothing, and leaves the zeros that were there", async (t) => {
    const vfs = await tree(t, { size: 4 * PAGE });
    const { fs, linux } = vfs;
    const fd = fs.openSync("/f", "w+");
    linux.fallocateSync(fd, 0, 2 * PAGE);
    refused("ENOSPC", () => linux.fallocateSync(fd, PAGE, 4 * PAGE));
    assert.deepEqual([fs.fstatSync(fd).size, fs.fstatSync(fd).blocks], [2 * PAGE, 2 * 8]);
    linux.fallocateSync(fd, PAGE, 3 * PAGE);
    assert.equal(fs.statfsSync("/").bfree, 0);
  });

  test("copyFile, copy_file_range, writeFile and appendFile stop at a limit", async (t) => {
    const vfs = await tree(t, { size: 4 * PAGE });
    const { fs, linux } = vfs;
    fs.writeFileSync("/f", "f".repeat(3 * PAGE));
    refused("ENOSPC", () => fs.copyFileSync("/f", "/g"));
    fs.rmSync("/g", { force: true });
    const to = fs.openSync("/h", "w+");
    assert.equal(linux.copyFileRangeSync(fs.openSync("/f", "r"), 0, to, 0, 3 * PAGE), PAGE);
    refused("ENOSPC", () => fs.appendFileSync("/f", "f"));
    refused("ENOSPC", () => fs.writeFileSync("/h", "h".repeat(2 * PAGE)));
    assert.equal(fs.readFileSync("/h", "latin1"), "h".repeat(PAGE));
    await assert.rejects(fs.promises.writeFile("/h", "h".repeat(2 * PAGE)), { code: "ENOSPC" });
  });
});

describe("the limits of a tmpfs", () => {
  test("belong to a mount's file system; a remount changes them", async (t) => {
    const vfs = await tree(t);
    const { fs } = vfs;
    for (const path of ["/m", "/b"]) fs.mkdirSync(path);
    vfs.mount(null, "/m", "tmpfs", { size: 4 * PAGE, nrInodes: 10 });
    vfs.mount("/m", "/b", "bind");
    fs.writeFileSync("/b/f", "f".repeat(3 * PAGE));
    assert.deepEqual(left(vfs, "/m"), [1, 8]);
    refused("ENOSPC", () => fs.writeFileSync("/m/g", "g".repeat(2 * PAGE)));
    fs.writeFileSync("/other", "o".repeat(8 * PAGE));
    const remount = (options: MountOptions, at = "/m") => vfs.mount(null, at, "tmpfs", { ...options, remount: true });
    refused("EINVAL", () => remount({ size: 3 * PAGE }));
    refused("EINVAL", () => remount({ nrInodes: 2 }));
    refused("EINVAL", () => remount({ size: 5 * PAGE, nrInodes: 2 }));
    refused("EINVAL", () => remount({ size: 5 * PAGE }, "/m/f"));
    refused("EINVAL", () => remount({ size: 1 << 20 }, "/"), "a limit where there was none");
    assert.equal(fs.statfsSync("/m").blocks, 4);
    remount({ size: 6 * PAGE });
    remount({});
    assert.deepEqual([fs.statfsSync("/b").blocks, fs.statfsSync("/b").files], [6, 10]);
    remount({ nrInodes: 0 });
    for (let n = 0; n < 20; n++) fs.writeFileSync(`/m/${n}`, "");
    refused("EINVAL", () => remount({ nrInodes: 100 }));
  });

  test("bad options are refused", async (t) => {
    const vfs = await tree(t);
    vfs.fs.mkdirSync("/m");
    const bad: [code: string, type: string, options: object][] = [
      ["ERR_OUT_OF_RANGE", "tmpfs", { size: -1 }],
      ["ERR_OUT_OF_RANGE", "tmpfs", { size: 1.5 }],
      ["ERR_OUT_OF_RANGE", "tmpfs", { nrInodes: 2 ** 53 }],
      ["ERR_INVALID_ARG_TYPE", "tmpfs", { size: "1m" }],
      ["ERR_INVALID_ARG_TYPE", "tmpfs", { nrInodes: 10n }],
      ["ERR_INVALID_ARG_VALUE", "tmpfs", { nr_inodes: 10 }],
      ["ERR_INVALID_ARG_VALUE", "bind", { size: 10 }],
      ["ERR_INVALID_ARG_VALUE", "tmpfs", { move: true, nrInodes: 10 }],
      ["ERR_INVALID_ARG_VALUE", "box", { size: 10 }],
      ["ERR_INVALID_ARG_VALUE", "tmpfs", { remount: true, move: true }],
      ["ERR_INVALID_ARG_VALUE", "bind", { remount: true, size: 10 }],
    ];
    for (const [code, type, options] of bad)
      refused(code, () => vfs.mount("/m", "/m", type, options), `${type} ${JSON.stringify(Object.keys(options))}`);
    for (const options of [{ size: -1 }, { nrInodes: 0.5 }])
      await assert.rejects(createVfs({ maxBytes: 8 << 20, ...options }), { code: "ERR_OUT_OF_RANGE" });
    vfs.mount(null, "/m", "tmpfs", { size: Number.MAX_SAFE_INTEGER, nrInodes: Number.MAX_SAFE_INTEGER });
    vfs.fs.writeFileSync("/m/f", "f");
    assert.deepEqual([vfs.fs.statfsSync("/m").blocks, vfs.fs.statfsSync("/m").files], [2 ** 41, 2 ** 53 - 1]);
    vfs.umount("/m");
    vfs.mount(null, "/m", "tmpfs", { nrInodes: 1 });
    refused("ENOSPC", () => vfs.fs.writeFileSync("/m/f", ""));
  });

  test("hold for a tree that is made of a snapshot", async (t) => {
    const vfs = await tree(t, { size: 10 * PAGE });
    vfs.fs.writeFileSync("/f", "f".repeat(3 * PAGE));
    const snapshot = await (await vfs.snapshot()).bytes();
    const other = await createVfs({ maxBytes: 8 << 20, snapshot, size: 3 * PAGE, nrInodes: 2 });
    assert.deepEqual(left(other), [0, 0]);
    other.close();
    await assert.rejects(createVfs({ maxBytes: 8 << 20, snapshot, size: 2 * PAGE }), { code: "ENOSPC" });
    await assert.rejects(createVfs({ maxBytes: 8 << 20, snapshot, nrInodes: 1 }), { code: "ENOSPC" });
  });
});

describe("at a limit, several threads", () => {
  test("never go beyond it, and lose nothing", async (t) => {
    const vfs = await tree(t, { size: 8 * PAGE, nrInodes: 8 });
    for (const name of ["a", "b"]) vfs.fs.mkdirSync(`/${name}`);
    const body = (worker: Vfs, _raw: unknown, running: () => boolean, dirs: string[]) => {
      const { fs } = worker;
      const mine = dirs.pop() as string;
      let full = 0;
      for (let n = 0; running(); n++) {
        const path = `${mine}/${n % 4}`;
        try {
          if (n % 3 === 2) fs.unlinkSync(path);
          else if (n % 7 === 0) fs.truncateSync(path, 10);
          else fs.writeFileSync(path, "x".repeat(1 + ((n * 1500) % 20_000)));
        } catch (error) {
          const { code } = error as { code: string };
          if (code === "ENOSPC") full++;
          else if (code !== "ENOENT") throw error;
        }
        const { blocks, bfree, files, ffree } = fs.statfsSync("/");
        if (bfree < 0 || bfree > blocks || ffree < 0 || ffree > files) throw new Error(`${bfree}, ${ffree} are left`);
      }
      return full;
    };
    const second = `(${body})(...arguments)`.replace("dirs.pop()", "dirs.shift()");
    const full = await threads<number[], string[]>(vfs.handle, 300, [body as never, `return ${second};`], ["/a", "/b"]);
    assert.ok(full.every((n) => n > 0));
    for (const name of ["a", "b"]) vfs.fs.rmSync(`/${name}`, { recursive: true });
    assert.deepEqual(left(vfs), [8, 7]);
  });

  test("one that dies while it writes leaves what it has written, and that counts", async (t) => {
    const tree = await treeFor(t, { maxBytes: 8 << 20, size: 40 * PAGE, nrInodes: 4 });
    const { vfs } = tree;
    const parked = await tree.parked((worker) => worker.fs.writeFileSync("/f", "x".repeat(300_000)), POINT.WRITE_PART);
    assert.equal(vfs.fs.statfsSync("/").bfree, 40 - 16);
    refused("ENOSPC", () => vfs.fs.writeFileSync("/g", "g".repeat(25 * PAGE)));
    vfs.fs.unlinkSync("/g");
    await parked.kill();
    vfs.threadDied(parked.slot);
    assert.equal(vfs.fs.statSync("/f").size, 16 * PAGE);
    assert.deepEqual(left(vfs), [40 - 16, 2]);
    assert.deepEqual(check(vfs.handle.memory).problems, []);
  });
});
