/** The file system type in one thread: a program does on a tree what it does on MEMFS, and what is bad is refused. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createVfs } from "threadfs";
import { threadfs } from "threadfs/emscripten";
import { bytes, eachBuild, errnoOf, withTree } from "./one-thread.js";
import type { ProgramFs, Stream } from "./program.js";

const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_APPEND = 0o2000;
const O_NONBLOCK = 0o4000;
const SET = 0;
const END = 2;

/** What a program does with files in a directory: a list of results, and of error numbers. */
function useFiles(FS: ProgramFs, dir: string): unknown[] {
  const results: unknown[] = [];
  const at = (name: string): string => `${dir}/${name}`;
  const step = (call: () => unknown): void => {
    const result: { value?: unknown; errno?: number | undefined } = {};
    result.errno = errnoOf(FS, () => {
      result.value = call();
    });
    results.push(result);
  };
  const read = (stream: Stream, length: number, position?: number): string => {
    const into = new Uint8Array(length);
    return new TextDecoder().decode(into.subarray(0, FS.read(stream, into, 0, length, position)));
  };
  FS.writeFile(at("file"), "0123456789");
  const file = FS.open(at("file"), "r+");
  step(() => read(file, 4));
  step(() => read(file, 4));
  step(() => read(file, 4, 2));
  step(() => FS.llseek(file, -3, END));
  step(() => read(file, 10));
  step(() => FS.llseek(file, -30, END));
  step(() => FS.llseek(file, 20, SET));
  step(() => FS.write(file, bytes("end"), 0, 3));
  step(() => FS.stat(at("file")).size);
  step(() => FS.write(file, bytes("abcdef"), 2, 2, 0));
  step(() => FS.readFile(at("file"), { encoding: "utf8" }));
  step(() => FS.truncate(at("file"), 4));
  step(() => FS.readFile(at("file"), { encoding: "utf8" }));
  step(() => FS.allocate(file, 0, 100));
  step(() => FS.stat(at("file")).size);
  FS.close(file);
  const log = FS.open(at("log"), "a+");
  step(() => FS.write(log, bytes("one"), 0, 3));
  step(() => FS.llseek(log, 0, SET));
  step(() => FS.write(log, bytes("two"), 0, 3));
  step(() => [log.position, read(log, 9, 0)]);
  // As fcntl(F_SETFL) does, of which no file system is told. Without setAppends() the writes go where the flags of the open say.
  log.flags &= ~O_APPEND;
  step(() => FS.llseek(log, 1, SET));
  step(() => FS.write(log, bytes("!"), 0, 1));
  log.flags |= O_APPEND;
  step(() => FS.write(log, bytes("three"), 0, 5));
  step(() => [log.position, FS.readFile(at("log"), { encoding: "utf8" })]);
  FS.close(log);
  step(() => read(FS.open(at("file"), "w"), 1));
  step(() => void FS.open(at("file"), O_RDWR | O_CREAT | O_EXCL));
  step(() => FS.open(at("none"), "r"));
  step(() => FS.open(at("file/below"), "w"));
  step(() => FS.open(at("none/below"), "w"));
  FS.mkdir(at("dir"));
  step(() => void FS.mkdir(at("dir")));
  step(() => FS.writeFile(at("dir/inside"), "x"));
  step(() => FS.rmdir(at("dir")));
  step(() => FS.unlink(at("dir")));
  step(() => FS.rmdir(at("file")));
  step(() => FS.open(at("dir"), "w"));
  step(() => FS.rename(at("file"), at("moved")));
  step(() => FS.rename(at("file"), at("moved")));
  step(() => FS.rename(at("moved"), at("dir/inside")));
  step(() => FS.rename(at("dir"), at("dir/inside/too deep")));
  step(() => FS.rename(at("dir"), at("other")));
  step(() => FS.readdir(at("other")).sort());
  step(() => void FS.symlink("other/inside", at("link")));
  step(() => FS.symlink("x", at("link")));
  step(() => FS.readlink(at("link")).replace(dir, ""));
  step(() => FS.readlink(at("other")));
  step(() => FS.stat(at("link")).mode & 0o170000);
  step(() => FS.lstat(at("link")).mode & 0o170000);
  step(() => FS.writeFile(at("link"), "through the link"));
  step(() => FS.readFile(at("other/inside"), { encoding: "utf8" }));
  step(() => FS.chmod(at("other/inside"), 0o640));
  step(() => FS.stat(at("other/inside")).mode);
  FS.chmod(at("other/inside"), 0o400);
  step(() => FS.open(at("other/inside"), "r+"));
  step(() => FS.utime?.(at("log"), 1000, 5000));
  step(() => FS.utime && FS.stat(at("log")).mtime.getTime());
  step(() => FS.readdir(dir).sort());
  step(() => FS.readdir(at("log")));
  return results;
}

eachBuild("does what MEMFS does: results, error numbers, positions", async (t, build) => {
  const { FS } = await withTree(t, build);
  FS.mkdir("/memory");
  assert.deepEqual(useFiles(FS, "/mnt"), useFiles(FS, "/memory"));
});

/** A node of newer versions' calls, by which a program of an older one can make them too. */
interface NewerStream extends Stream {
  node: { parent: object; node_ops: NewerNodeOps };
  stream_ops: {
    getattr(stream: Stream): { size: number; nlink: number; mode: number };
    setattr(stream: Stream, changes: object): void;
    fsync(stream: Stream): number;
    close(stream: Stream): void;
    read(stream: Stream, into: Uint8Array, offset: number, length: number, position: number): number;
  };
}

interface NewerNodeOps {
  link(parent: object, name: string, from: string, flags: number): object;
  setattr(node: object, changes: object): void;
  statfs(root: unknown): { bsize: number; bavail: number; namelen: number };
}

test("what newer versions of FS ask too: attributes of open files, links, single times, duplicates", async (t) => {
  const { FS, vfs, errno } = await withTree(t, "sql-wasm-debug");
  vfs.fs.writeFileSync("/file", "0123456789");
  const stream = FS.open("/mnt/file", "r+") as NewerStream;
  const { stream_ops: ops, node } = stream;
  node.node_ops.link(node.parent, "hard", "/mnt/file", 0);
  assert.equal(ops.getattr(stream).nlink, 2);
  assert.equal(
    errno(() => node.node_ops.link(node.parent, "hard", "/mnt/file", 0)),
    20,
  );
  assert.equal(
    errno(() => node.node_ops.link(node.parent, "other", "/tmp", 0)),
    75,
  );
  node.node_ops.setattr(node, { atime: null, mtime: 5000.25 });
  assert.equal(vfs.fs.statSync("/file").mtimeMs, 5000.25);
  // What chown() passes changes no time.
  node.node_ops.setattr(node, { timestamp: 7000, dontFollow: false });
  assert.equal(vfs.fs.statSync("/file").mtimeMs, 5000.25);
  vfs.fs.unlinkSync("/file");
  vfs.fs.writeFileSync("/file", "another");
  ops.setattr(stream, { mode: 0o100600 });
  ops.setattr(stream, { size: 3 });
  assert.deepEqual([ops.getattr(stream).size, ops.getattr(stream).mode], [3, 0o100600]);
  assert.equal(vfs.fs.readFileSync("/file", "utf8"), "another");
  assert.equal(ops.fsync(stream), 0);
  const { bsize, bavail, namelen } = node.node_ops.statfs(undefined);
  assert.deepEqual([bsize, bavail > 1000, namelen], [4096, true, 255]);
  // A duplicate has the same open file, which is closed with the last of them.
  const copy = Object.assign(Object.create(Object.getPrototypeOf(stream)), stream) as NewerStream;
  copy.fd = FS.streams.length;
  FS.streams[copy.fd] = copy;
  FS.close(stream);
  const into = new Uint8Array(4);
  assert.equal(ops.read(copy, into, 0, 4, 0), 3);
  FS.close(copy);
  assert.equal(
    errno(() => ops.read(copy, into, 0, 4, 0)),
    8,
  );
});

eachBuild("a mapping is a copy that msync() writes back, as far as the file goes", async (t, build) => {
  const { FS, vfs } = await withTree(t, build);
  vfs.fs.writeFileSync("/file", "0123456789");
  const stream = FS.open("/mnt/file", "r+");
  const address = FS.mmap.length === 6 ? [0] : [];
  // PROT_READ | PROT_WRITE, MAP_SHARED
  assert.ok(
    Object.values(FS.mmap(stream, ...address, 100, 0, 3, 1)).some((value) => typeof value === "number" && value > 0),
  );
  const changed = new Uint8Array(100).fill(0x61);
  FS.msync(stream, changed, 4, 96, 1);
  assert.equal(vfs.fs.readFileSync("/file", "utf8"), "0123aaaaaa");
  assert.deepEqual(FS.readdir("/").includes(".threadfs-mapped"), false);
});

// Before, that was EFAULT: FS passes an array of numbers on.
test("FS.createDataFile() makes a file of a string", async (t) => {
  const { FS, vfs } = await withTree(t, "sql-wasm-debug");
  FS.createDataFile("/mnt", "file", "text \u00ff", true, true);
  assert.equal(vfs.fs.readFileSync("/file", "latin1"), "text \u00ff");
});

// Taken out: the flags in msync(). These builds, as Emscripten had it before 3, call it for private mappings too, when they are unmapped.
eachBuild("a private mapping is not written back, and lengths that no mapping has are refused", async (t, build) => {
  const { FS, vfs, errno } = await withTree(t, build);
  vfs.fs.writeFileSync("/file", "0123456789");
  const stream = FS.open("/mnt/file", "r+");
  // MAP_PRIVATE
  FS.msync(stream, new Uint8Array(10).fill(0x61), 0, 10, 2);
  assert.equal(vfs.fs.readFileSync("/file", "utf8"), "0123456789");
  const address = FS.mmap.length === 6 ? [0] : [];
  for (const length of [-1, Number.NaN, 2 ** 50]) {
    assert.equal(
      errno(() => FS.mmap(stream, ...address, length, 0, 3, 1)),
      length > 0 ? 48 : 28,
    );
  }
});

eachBuild(
  "what a program passes is checked: closed and foreign descriptors, lengths beyond a buffer, devices",
  async (t, build) => {
    const { FS, vfs, errno } = await withTree(t, build);
    vfs.fs.writeFileSync("/file", "0123456789");
    const stream = FS.open("/mnt/file", "r+");
    const buffer = new Uint8Array(8);
    // Assertions of a build come first.
    const [read, write] = [
      (stream as unknown as { stream_ops: Record<string, (...args: unknown[]) => unknown> }).stream_ops,
    ].flatMap((ops) => [ops.read as (...args: unknown[]) => unknown, ops.write as (...args: unknown[]) => unknown]);
    for (const [offset, length] of [
      [0, 9],
      [8, 1],
      [-1, 1],
      [0, Number.NaN],
      [2 ** 40, 2 ** 40],
    ]) {
      assert.equal(
        errno(() => read?.(stream, buffer, offset, length, 0)),
        21,
      );
      assert.equal(
        errno(() => write?.(stream, buffer, offset, length, 0)),
        21,
      );
    }
    assert.equal(
      errno(() => read?.(stream, buffer, 0, 8, -5)),
      28,
    );
    assert.equal(
      errno(() => FS.llseek(stream, 2 ** 60, SET)),
      28,
    );
    assert.equal(
      errno(() => FS.truncate("/mnt/file", 2 ** 60)),
      28,
    );
    assert.equal(
      errno(() => FS.mknod("/mnt/device", 0o020666, 0x103)),
      63,
    );
    FS.close(stream);
    assert.equal(
      errno(() => read?.(stream, buffer, 0, 8, 0)),
      8,
    );
    assert.equal(
      errno(() => write?.(stream, buffer, 0, 8, 0)),
      8,
    );
    const foreign = FS.open("/in memory", "w+");
    assert.equal(
      errno(() => read?.(foreign, buffer, 0, 8, 0)),
      8,
    );
    assert.equal(vfs.fs.readFileSync("/file", "utf8"), "0123456789");
  },
);

eachBuild("a FIFO has no positions, and is empty at once for who does not wait", async (t, build) => {
  const { FS, vfs, errno } = await withTree(t, build);
  FS.mknod("/mnt/fifo", 0o010644, 0);
  assert.ok(vfs.fs.lstatSync("/fifo").isFIFO());
  const stream = FS.open("/mnt/fifo", O_RDWR | O_NONBLOCK);
  assert.equal(FS.write(stream, bytes("in and out"), 0, 10), 10);
  const into = new Uint8Array(20);
  assert.equal(FS.read(stream, into, 0, 6), 6);
  assert.equal(FS.read(stream, into, 0, 20), 4);
  assert.equal(
    errno(() => FS.read(stream, into, 0, 20)),
    6,
  );
  assert.equal(
    errno(() => FS.llseek(stream, 0, SET)),
    70,
  );
});

eachBuild("offsets and sizes beyond 4 GiB", async (t, build) => {
  const { FS, vfs } = await withTree(t, build);
  const stream = FS.open("/mnt/large", "w+");
  const at = 2 ** 33 + 5;
  FS.llseek(stream, at, SET);
  FS.write(stream, bytes("far"), 0, 3);
  assert.equal(FS.stat("/mnt/large").size, at + 3);
  const into = new Uint8Array(3);
  assert.equal(FS.read(stream, into, 0, 3, at), 3);
  assert.deepEqual(into, bytes("far"));
  FS.close(stream);
  vfs.fs.unlinkSync("/large");
});

describe("mounting", () => {
  test("a directory of the tree is a root that the program cannot leave; a context of the caller's has its uid", async (t) => {
    const { FS, vfs, errno } = await withTree(t, "sql-wasm-debug");
    vfs.fs.mkdirSync("/part/dir", { recursive: true });
    vfs.fs.writeFileSync("/secret", "x");
    vfs.fs.chmodSync("/secret", 0o600);
    FS.mkdir("/part");
    FS.mount(threadfs, { vfs, FS, root: "/part" }, "/part");
    assert.deepEqual(FS.readdir("/part"), [".", "..", "dir"]);
    assert.equal(
      errno(() => FS.stat("/part/../part/dir/../../secret")),
      44,
    );
    FS.mkdir("/user");
    FS.mount(threadfs, { context: vfs.context({ uid: 1000 }), FS }, "/user");
    assert.equal(
      errno(() => FS.open("/user/secret", "r")),
      2,
    );
    assert.equal(FS.stat("/mnt/secret").size, 1);
  });

  test("an unmount ends the context of the mount, and of mounts on it, when their last files are closed", async (t) => {
    const { FS, vfs } = await withTree(t, "sql-wasm-debug");
    const count = (): number => vfs.contexts().length;
    const [before, files] = [count(), vfs.counters().openFiles];
    for (let i = 0; i < 3; i++) {
      FS.mkdir(`/place${i}`);
      FS.mount(threadfs, { vfs, FS }, `/place${i}`);
      vfs.fs.mkdirSync("/dir", { recursive: true });
      FS.mount(threadfs, { vfs, FS }, `/place${i}/dir`);
      assert.equal(count(), before + 2);
      const [outer, inner] = [FS.open(`/place${i}/file`, "w+"), FS.open(`/place${i}/dir/file`, "w+")];
      FS.unmount(`/place${i}`);
      assert.equal(count(), before + 2);
      assert.equal(FS.write(outer, bytes("still open"), 0, 10), 10);
      FS.close(inner);
      assert.equal(count(), before + 1);
      FS.close(outer);
      assert.deepEqual([count(), vfs.counters().openFiles], [before, files]);
    }
    const context = vfs.context();
    FS.mkdir("/mine");
    FS.mount(threadfs, { context, FS }, "/mine");
    FS.unmount("/mine");
    assert.equal(context.fs.existsSync("/file"), true);
  });

  test("a file system that is mounted in a tree is found, and is gone after it is unmounted", async (t) => {
    const { FS, vfs } = await withTree(t, "sql-wasm-debug");
    const second = await createVfs({ maxBytes: 1 << 24 });
    t.after(() => second.close());
    vfs.fs.mkdirSync("/dir/inner", { recursive: true });
    second.fs.writeFileSync("/other", "");
    FS.mount(threadfs, { vfs: second, FS }, "/mnt/dir/inner");
    assert.deepEqual(FS.readdir("/mnt/dir/inner"), [".", "..", "other"]);
    FS.unmount("/mnt/dir/inner");
    assert.deepEqual(FS.readdir("/mnt/dir/inner"), [".", ".."]);
  });

  test("bad options are refused with a code", async (t) => {
    const { FS, vfs } = await withTree(t, "sql-wasm-debug");
    FS.mkdir("/bad");
    const cases: [object, string][] = [
      [{ FS }, "ERR_INVALID_ARG_TYPE"],
      [{ vfs }, "ERR_INVALID_ARG_TYPE"],
      [{ vfs, FS: {} }, "ERR_INVALID_ARG_VALUE"],
      [{ vfs, FS, rot: "/" }, "ERR_INVALID_ARG_VALUE"],
      [{ context: vfs.context(), FS, root: "/" }, "ERR_INVALID_ARG_VALUE"],
      [{ vfs, context: vfs.context(), FS }, "ERR_INVALID_ARG_TYPE"],
      [{ vfs, FS, root: "/none" }, "ENOENT"],
    ];
    for (const [options, code] of cases) assert.throws(() => FS.mount(threadfs, options, "/bad"), { code });
    // Closure has renamed the members of its nodes.
    assert.throws(() => FS.mount(threadfs, { vfs, FS: { ...FS, root: { a: {}, b: {} } } }, "/bad"), /Closure/);
  });
});
