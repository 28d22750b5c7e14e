/** What nobody should ask: every argument out of its range, on both sides of the door. A clear error, and the tree as it was. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { ERRNO, IO_SIZE, POINT, SCRATCH } from "../dist/abi.js";
import { ABI_VERSION, attachVfs, createVfs } from "../dist/index.js";
import { gauges, rawCore, walkerOf } from "./core/lib/forced.js";
import { codeOf, debugTree } from "./core/lib/tree.js";

const PATH_MAX = 4095;
const MAX_FILE_SIZE = 4 * 2 ** 40;
const MAX_THREADS = 256;
const MAX_CONTEXTS = 1024;

const open = [];
after(() => {
  for (const vfs of open) vfs.close();
});
async function tree(options = {}) {
  const vfs = await createVfs({ maxBytes: 64 << 20, ...options });
  open.push(vfs);
  return vfs;
}

/** Every call that takes a path, with the path (and another, good one) as its argument. */
const PATH_CALLS = {
  accessSync: (fs, path) => fs.accessSync(path),
  statSync: (fs, path) => fs.statSync(path),
  lstatSync: (fs, path) => fs.lstatSync(path),
  realpathSync: (fs, path) => fs.realpathSync(path),
  "realpathSync.native": (fs, path) => fs.realpathSync.native(path),
  readdirSync: (fs, path) => fs.readdirSync(path),
  opendirSync: (fs, path) => fs.opendirSync(path),
  mkdirSync: (fs, path) => fs.mkdirSync(path),
  rmdirSync: (fs, path) => fs.rmdirSync(path),
  rmSync: (fs, path) => fs.rmSync(path),
  openSync: (fs, path) => fs.openSync(path),
  "openSync w": (fs, path) => fs.openSync(path, "w"),
  readFileSync: (fs, path) => fs.readFileSync(path),
  writeFileSync: (fs, path) => fs.writeFileSync(path, "x"),
  appendFileSync: (fs, path) => fs.appendFileSync(path, "x"),
  truncateSync: (fs, path) => fs.truncateSync(path),
  "renameSync from": (fs, path) => fs.renameSync(path, "/to"),
  "renameSync to": (fs, path) => fs.renameSync("/f", path),
  "linkSync from": (fs, path) => fs.linkSync(path, "/to"),
  "linkSync to": (fs, path) => fs.linkSync("/f", path),
  "symlinkSync body": (fs, path) => fs.symlinkSync(path, "/to"),
  "symlinkSync place": (fs, path) => fs.symlinkSync("body", path),
  readlinkSync: (fs, path) => fs.readlinkSync(path),
  unlinkSync: (fs, path) => fs.unlinkSync(path),
  chmodSync: (fs, path) => fs.chmodSync(path, 0o600),
  chownSync: (fs, path) => fs.chownSync(path, 0, 0),
  lchownSync: (fs, path) => fs.lchownSync(path, 0, 0),
  utimesSync: (fs, path) => fs.utimesSync(path, 1, 1),
  lutimesSync: (fs, path) => fs.lutimesSync(path, 1, 1),
  "copyFileSync from": (fs, path) => fs.copyFileSync(path, "/to"),
  "copyFileSync to": (fs, path) => fs.copyFileSync("/f", path),
};

/** Calls of the tree itself that take a path. */
const TREE_CALLS = {
  "mount at": (vfs, path) => vfs.mount("none", path, "tmpfs"),
  "bind from": (vfs, path) => vfs.mount(path, "/d", "bind"),
  umount: (vfs, path) => vfs.umount(path),
  "context root": (vfs, path) => vfs.context({ root: path }),
  "context cwd": (vfs, path) => vfs.context({ cwd: path }),
  setfacl: (vfs, path) => vfs.setfacl(path, []),
  getfacl: (vfs, path) => vfs.getfacl(path),
};

async function withFile() {
  const vfs = await tree();
  vfs.fs.writeFileSync("/f", "x");
  vfs.fs.mkdirSync("/d");
  return vfs;
}

function untouched({ fs }) {
  assert.deepEqual(fs.readdirSync("/"), ["d", "f"]);
  assert.deepEqual(fs.readdirSync("/d"), []);
  assert.equal(fs.readFileSync("/f", "utf8"), "x");
}

describe("paths", () => {
  test("a NUL inside is refused, in a string, a Buffer and a URL", async () => {
    const vfs = await withFile();
    for (const path of ["/f\0", "\0", "/f\0/..", Buffer.from("/f\0x"), new URL("file:///f%00x")]) {
      for (const [name, call] of Object.entries(PATH_CALLS)) {
        assert.equal(
          codeOf(() => call(vfs.fs, path)),
          "ERR_INVALID_ARG_VALUE",
          name,
        );
      }
      for (const [name, call] of Object.entries(TREE_CALLS)) {
        assert.equal(
          codeOf(() => call(vfs, path)),
          "ERR_INVALID_ARG_VALUE",
          name,
        );
      }
      assert.equal(vfs.fs.existsSync(path), false);
    }
    untouched(vfs);
  });

  test("an empty one is ENOENT everywhere", async () => {
    const vfs = await withFile();
    // Node makes an absolute path of it for these: the working directory.
    const resolved = new Set(["realpathSync"]);
    for (const path of ["", Buffer.alloc(0)]) {
      for (const [name, call] of Object.entries(PATH_CALLS)) {
        if (resolved.has(name)) continue;
        assert.equal(
          codeOf(() => call(vfs.fs, path)),
          "ENOENT",
          name,
        );
      }
      for (const [name, call] of Object.entries(TREE_CALLS)) {
        assert.equal(
          codeOf(() => call(vfs, path)),
          "ENOENT",
          name,
        );
      }
      assert.equal(vfs.fs.existsSync(path), false);
    }
    untouched(vfs);
  });

  test("4095 bytes are taken, one more is ENAMETOOLONG, and it is bytes that count", async () => {
    const vfs = await withFile();
    const { fs } = vfs;
    const longest = `${"/.".repeat((PATH_MAX - 3) / 2)}//f`;
    assert.equal(longest.length, PATH_MAX);
    assert.equal(fs.readFileSync(longest, "utf8"), "x");
    assert.equal(fs.statSync(Buffer.from(longest)).size, 1);
    const more = [
      "/".repeat(PATH_MAX + 1),
      `/${longest}`,
      Buffer.from(`/${longest}`),
      "€".repeat(1366),
      "x".repeat(1e6),
    ];
    for (const path of more) {
      for (const [name, call] of Object.entries(PATH_CALLS)) {
        assert.equal(
          codeOf(() => call(fs, path)),
          "ENAMETOOLONG",
          name,
        );
      }
      for (const [name, call] of Object.entries(TREE_CALLS)) {
        assert.equal(
          codeOf(() => call(vfs, path)),
          "ENAMETOOLONG",
          name,
        );
      }
      assert.equal(fs.existsSync(path), false);
    }
    untouched(vfs);
    fs.symlinkSync("b".repeat(PATH_MAX), "/link");
    assert.equal(fs.readlinkSync("/link").length, PATH_MAX);
    assert.equal(
      codeOf(() => fs.statSync("/link")),
      "ENAMETOOLONG",
      "one component",
    );
  });

  test("a name has at most 255 bytes, wherever it stands", async () => {
    const { fs } = await withFile();
    for (const longest of ["n".repeat(255), "€".repeat(85), `${"😀".repeat(63)}abc`]) {
      fs.mkdirSync(`/${longest}`);
      fs.writeFileSync(`/${longest}/${longest}`, "x");
      assert.equal(fs.readFileSync(`/${longest}/${longest}`, "utf8"), "x");
      assert.ok(fs.readdirSync("/").includes(longest));
      fs.rmSync(`/${longest}`, { recursive: true });
    }
    for (const name of ["n".repeat(256), "€".repeat(86), "😀".repeat(64), "n".repeat(4000)]) {
      for (const path of [`/${name}`, `/${name}/x`, `/d/../${name}`, `/none-but/../${name}`.slice(0, 4095)]) {
        for (const call of [fs.statSync, fs.mkdirSync, fs.unlinkSync, fs.readFileSync]) {
          const code = codeOf(() => call(path));
          assert.ok(code === "ENAMETOOLONG" || (path.startsWith("/none") && code === "ENOENT"), `${code}`);
        }
      }
      assert.equal(
        codeOf(() => fs.renameSync("/f", `/${name}`)),
        "ENAMETOOLONG",
      );
      assert.equal(
        codeOf(() => fs.mkdirSync(`/a/${name}`, { recursive: true })),
        "ENAMETOOLONG",
      );
    }
    fs.rmSync("/a", { recursive: true, force: true });
  });

  test("lone surrogates become U+FFFD, as in Node", async () => {
    const { fs } = await tree();
    fs.writeFileSync("/a\ud800b", "x");
    assert.deepEqual(fs.readdirSync("/"), ["a\ufffdb"]);
    assert.equal(fs.readFileSync("/a\udfffb", "utf8"), "x");
    assert.equal(
      codeOf(() => fs.statSync("/\ud800")),
      "ENOENT",
    );
    assert.throws(() => fs.statSync("/\ud800"), { path: "/\ufffd" });
    fs.writeFileSync("/😀", "pair");
    assert.equal(fs.readFileSync("/\ud83d\ude00", "utf8"), "pair");
  });

  test("bytes that are no UTF-8 survive from Buffer to Buffer", async () => {
    const { fs } = await tree();
    const names = [
      [0xff],
      [0xc3],
      [0xc3, 0x28],
      [0xed, 0xa0, 0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80],
      [0x80, 0x81],
      [1, 2, 0x7f],
    ];
    fs.mkdirSync("/d");
    const path = (name, dir = "/d/") => Buffer.concat([Buffer.from(dir), Buffer.from(name)]);
    names.forEach((name, i) => {
      fs.writeFileSync(path(name), `${i}`);
    });
    const listed = fs.readdirSync("/d", { encoding: "buffer" }).map((name) => name.toString("hex"));
    assert.deepEqual(listed.sort(), names.map((name) => Buffer.from(name).toString("hex")).sort());
    names.forEach((name, i) => {
      assert.equal(fs.readFileSync(path(name), "utf8"), `${i}`);
      fs.symlinkSync(path(name), path(name, "/link-"));
      assert.ok(fs.readlinkSync(path(name, "/link-"), { encoding: "buffer" }).equals(path(name)));
      assert.equal(fs.readFileSync(path(name, "/link-"), "utf8"), `${i}`);
      assert.ok(fs.realpathSync.native(path(name, "/link-"), { encoding: "buffer" }).equals(path(name)));
      fs.renameSync(path(name), path([...name, 0xfe]));
      assert.equal(fs.existsSync(path(name)), false);
      fs.unlinkSync(path([...name, 0xfe]));
    });
    assert.deepEqual(fs.readdirSync("/d"), []);
  });

  test("names that are alike up to byte n are different names, for every n", async () => {
    const { fs } = await tree();
    for (let n = 1; n < 255; n++) {
      const base = "s".repeat(n);
      fs.writeFileSync(`/${base}x`, `x${n}`);
      fs.writeFileSync(`/${base}y`, `y${n}`);
      assert.equal(fs.existsSync(`/${base}z`), false);
      assert.equal(fs.existsSync(`/${base}X`), false);
    }
    for (let n = 1; n < 255; n++) {
      for (const last of ["x", "y"]) assert.equal(fs.readFileSync(`/${"s".repeat(n)}${last}`, "utf8"), `${last}${n}`);
    }
    assert.equal(fs.readdirSync("/").length, 508);
  });

  test("what is no path at all", async () => {
    const vfs = await withFile();
    for (const bad of [undefined, null, 5, true, {}, [], Symbol("p"), () => {}, new Uint16Array(2)]) {
      for (const [name, call] of Object.entries(PATH_CALLS)) {
        // Descriptors are numbers, and these calls take both.
        if (bad === 5 && /File|truncate/.test(name)) continue;
        const code = codeOf(() => call(vfs.fs, bad));
        assert.equal(code, "ERR_INVALID_ARG_TYPE", `${name} ${String(typeof bad)}`);
      }
      for (const [name, call] of Object.entries(TREE_CALLS)) {
        if ((bad === undefined || bad === null) && name.startsWith("context")) continue;
        assert.equal(
          codeOf(() => call(vfs, bad)),
          "ERR_INVALID_ARG_TYPE",
          name,
        );
      }
      assert.equal(vfs.fs.existsSync(bad), false);
    }
    for (const url of ["http://x/f", "file:///a%2fb", "file://host/f"]) {
      assert.match(
        codeOf(() => vfs.fs.statSync(new URL(url))),
        /^ERR_INVALID_(URL_SCHEME|FILE_URL_PATH|FILE_URL_HOST)$/,
      );
    }
    assert.equal(vfs.fs.statSync(pathToFileURL("/f")).size, 1);
    untouched(vfs);
  });
});

describe("descriptors", () => {
  const FD_CALLS = {
    closeSync: (fs, fd) => fs.closeSync(fd),
    fstatSync: (fs, fd) => fs.fstatSync(fd),
    readSync: (fs, fd) => fs.readSync(fd, Buffer.alloc(1)),
    writeSync: (fs, fd) => fs.writeSync(fd, "x"),
    ftruncateSync: (fs, fd) => fs.ftruncateSync(fd, 0),
    fchmodSync: (fs, fd) => fs.fchmodSync(fd, 0),
  };

  test("closed, never opened and foreign ones are EBADF", async () => {
    const vfs = await withFile();
    const { fs } = vfs;
    const closed = fs.openSync("/f");
    fs.closeSync(closed);
    const other = vfs.context();
    const foreign = [other.fs.openSync("/f"), other.fs.openSync("/f")].at(-1);
    for (const fd of [closed, foreign, 0, 1, 2, 777, 16383, 16384, 2 ** 31 - 1]) {
      for (const [name, call] of Object.entries(FD_CALLS)) {
        assert.equal(
          codeOf(() => call(fs, fd)),
          "EBADF",
          `${name} ${fd}`,
        );
      }
      assert.equal(
        codeOf(() => fs.readFileSync(fd)),
        "EBADF",
      );
      assert.equal(
        codeOf(() => fs.writeFileSync(fd, "x")),
        "EBADF",
      );
    }
    assert.equal(other.fs.readFileSync(foreign, "utf8"), "x");
    other.close();
    untouched(vfs);
  });

  test("no descriptor at all", async () => {
    const { fs } = await withFile();
    for (const [name, call] of Object.entries(FD_CALLS)) {
      for (const fd of [-1, 1.5, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY]) {
        assert.equal(
          codeOf(() => call(fs, fd)),
          "ERR_OUT_OF_RANGE",
          `${name} ${fd}`,
        );
      }
      for (const fd of [undefined, null, "3", {}, true]) {
        assert.equal(
          codeOf(() => call(fs, fd)),
          "ERR_INVALID_ARG_TYPE",
          `${name} ${fd}`,
        );
      }
    }
  });

  test("what a descriptor was not opened for", async () => {
    const { fs } = await withFile();
    const [r, w, d] = [fs.openSync("/f", "r"), fs.openSync("/f", "a"), fs.openSync("/d")];
    assert.equal(
      codeOf(() => fs.writeSync(r, "x")),
      "EBADF",
    );
    assert.equal(
      codeOf(() => fs.readSync(w, Buffer.alloc(1))),
      "EBADF",
    );
    assert.equal(
      codeOf(() => fs.readSync(d, Buffer.alloc(1))),
      "EISDIR",
    );
    assert.equal(
      codeOf(() => fs.ftruncateSync(r, 0)),
      "EINVAL",
    );
    for (const fd of [r, w, d]) fs.closeSync(fd);
  });
});

describe("sizes, offsets and modes", () => {
  test("a file ends at 4 TiB", async (t) => {
    const vfs = await tree();
    const { fs } = vfs;
    const raw = rawCore(t, vfs.handle);
    fs.writeFileSync("/f", "x");
    fs.truncateSync("/f", MAX_FILE_SIZE);
    assert.equal(fs.statSync("/f").size, MAX_FILE_SIZE);
    for (const size of [MAX_FILE_SIZE + 1, MAX_FILE_SIZE * 2, Number.MAX_SAFE_INTEGER]) {
      assert.equal(
        codeOf(() => fs.truncateSync("/f", size)),
        "EFBIG",
      );
    }
    const fd = fs.openSync("/f", "r+");
    assert.equal(
      codeOf(() => fs.writeSync(fd, "x", MAX_FILE_SIZE)),
      "EFBIG",
    );
    assert.equal(
      codeOf(() => fs.writeSync(fd, "x", Number.MAX_SAFE_INTEGER)),
      "EFBIG",
    );
    assert.equal(fs.writeSync(fd, "y", MAX_FILE_SIZE - 1), 1);
    assert.equal(fs.readSync(fd, Buffer.alloc(4), 0, 4, MAX_FILE_SIZE - 2), 2);
    assert.equal(fs.readSync(fd, Buffer.alloc(4), 0, 4, Number.MAX_SAFE_INTEGER), 0);
    assert.equal(fs.fstatSync(fd).size, MAX_FILE_SIZE);
    assert.equal(raw.arena.closed, false);
    fs.ftruncateSync(fd, 1);
    assert.equal(fs.readFileSync("/f", "utf8"), "x");
    fs.closeSync(fd);
  });

  test("numbers that are no size or offset, as Node refuses or takes them", async () => {
    const { fs } = await withFile();
    const fd = fs.openSync("/f", "r+");
    for (const size of [1.5, Number.NaN, "1", {}, Number.POSITIVE_INFINITY]) {
      assert.match(
        codeOf(() => fs.ftruncateSync(fd, size)),
        /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/,
        `${size}`,
      );
    }
    for (const position of ["0", {}, Number.NaN, 1.5, 2 ** 63]) {
      assert.match(
        codeOf(() => fs.readSync(fd, Buffer.alloc(1), 0, 1, position)),
        /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/,
        `${position}`,
      );
    }
    for (const [offset, length] of [
      [-1, 1],
      [2, 1],
      [0, 2],
      [0, -1],
      [Number.NaN, 1],
    ]) {
      assert.match(
        codeOf(() => fs.readSync(fd, Buffer.alloc(1), offset, length, 0)),
        /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE|INVALID_ARG_VALUE)$/,
        `${offset} ${length}`,
      );
      assert.match(
        codeOf(() => fs.writeSync(fd, Buffer.alloc(1), offset, length, 0)),
        /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE|INVALID_ARG_VALUE)$/,
        `${offset} ${length}`,
      );
    }
    assert.equal(fs.readFileSync("/f", "utf8"), "x");
    fs.closeSync(fd);
  });

  test("modes, umasks, ids and times", async () => {
    const vfs = await withFile();
    const { fs } = vfs;
    for (const mode of [-1, 2 ** 32, 1.5, Number.NaN, "8", "", "0x1", {}, Symbol("m")]) {
      const refused = /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE|INVALID_ARG_VALUE)$/;
      assert.match(
        codeOf(() => fs.chmodSync("/f", mode)),
        refused,
      );
      assert.match(
        codeOf(() => fs.openSync("/f", "w", mode)),
        refused,
      );
      assert.match(
        codeOf(() => vfs.context({ umask: mode })),
        refused,
      );
    }
    fs.chmodSync("/f", 0o37777777777);
    assert.equal(fs.statSync("/f").mode, 0o107777, "only the permission bits are taken");
    fs.mkdirSync("/d/m", 0o37777777777);
    assert.equal(fs.statSync("/d/m").mode & 0o6000, 0);
    const masked = vfs.context({ umask: 0o37777777777 });
    masked.fs.mkdirSync("/d/n");
    assert.equal(fs.statSync("/d/n").mode & 0o777, 0);
    masked.close();
    for (const id of [-2, 2 ** 32, 0.5, "0", null]) {
      assert.match(
        codeOf(() => fs.chownSync("/f", id, 0)),
        /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/,
      );
    }
    for (const uid of [-1, 2 ** 32 - 1, 2 ** 40, 0.5, "0"]) {
      assert.match(
        codeOf(() => vfs.context({ uid })),
        /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/,
      );
      assert.match(
        codeOf(() => vfs.context({ groups: [uid] })),
        /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/,
      );
    }
    for (const time of [Number.NaN, Number.POSITIVE_INFINITY, "x", {}, undefined]) {
      assert.equal(
        codeOf(() => fs.utimesSync("/f", time, 1)),
        "ERR_INVALID_ARG_TYPE",
      );
    }
    for (const flags of ["q", "", "ww", 1.5, Number.NaN, {}, 2 ** 31]) {
      assert.match(
        codeOf(() => fs.openSync("/f", flags)),
        /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE|INVALID_ARG_VALUE)$/,
      );
    }
  });
});

describe("trees, handles and contexts", () => {
  test("maxBytes", async () => {
    for (const maxBytes of [0, -1, 2 * 1024 * 1024 - 1, 2 ** 32, 2 ** 53, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(createVfs({ maxBytes }), { code: "ERR_OUT_OF_RANGE" });
    }
    for (const maxBytes of [undefined, null, "4194304", 4194304n, {}]) {
      await assert.rejects(createVfs({ maxBytes }), { code: "ERR_INVALID_ARG_TYPE" });
    }
    const least = await tree({ maxBytes: 2 * 1024 * 1024 });
    least.fs.writeFileSync("/f", "x");
  });

  test("handles that are none", async () => {
    const { handle } = await tree();
    const { module, memory } = handle;
    const blank = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
    const noise = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
    new Uint32Array(noise.buffer).fill(0xdeadbeef);
    const older = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
    new Uint8Array(older.buffer).set(new Uint8Array(memory.buffer).subarray(0, 4 * 65536));
    new Uint32Array(older.buffer)[1028 >> 2] += 1;
    for (const bad of [
      undefined,
      null,
      7,
      "handle",
      {},
      [],
      { ...handle, version: ABI_VERSION + 1 },
      { ...handle, version: `${ABI_VERSION}` },
      { ...handle, module: {} },
      { ...handle, memory: memory.buffer },
      { ...handle, memory: new WebAssembly.Memory({ initial: 4, maximum: 64 }) },
      { ...handle, memory: blank },
      { ...handle, memory: noise },
      { ...handle, memory: older },
      { ...handle, ctx: -1 },
      { ...handle, ctx: 1.5 },
      { ...handle, ctx: 5 },
      { ...handle, ctx: 2 ** 31 },
      { ...handle, ctx: undefined },
    ]) {
      await assert.rejects(attachVfs(bad), { code: "ERR_THREADFS_HANDLE" });
    }
    const good = await attachVfs({ module, memory, version: ABI_VERSION, ctx: 0 });
    good.close();
  });

  test("a closed tree refuses everything and can be closed again", async () => {
    const vfs = await withFile();
    const { fs } = vfs;
    const context = vfs.context();
    const dir = fs.opendirSync("/");
    vfs.close();
    vfs.close();
    for (const call of Object.values(PATH_CALLS)) {
      assert.equal(
        codeOf(() => call(fs, "/f")),
        "ERR_THREADFS_CLOSED",
      );
    }
    for (const call of Object.values(TREE_CALLS)) {
      assert.equal(
        codeOf(() => call(vfs, "/d")),
        "ERR_THREADFS_CLOSED",
      );
    }
    for (const call of [
      () => fs.closeSync(3),
      () => fs.existsSync("/f"),
      () => dir.readSync(),
      () => context.fs.statSync("/"),
      () => context.chdir("/"),
      () => context.umask(),
      () => vfs.counters(),
      () => vfs.shrink(1),
      () => vfs.synchronizeRcu(),
      () => vfs.threadSlot,
      () => vfs.walkMode({ ref: true }),
      () => vfs.context(),
      () => vfs.registerDriver({ name: "d", root: () => null }),
    ]) {
      assert.equal(codeOf(call), "ERR_THREADFS_CLOSED", `${call}`);
    }
    context.close();
  });

  test("a closed context refuses everything, here and in other threads, for ever", async () => {
    const vfs = await withFile();
    const context = vfs.context({ uid: 1000 });
    const { handle } = context;
    const elsewhere = await attachVfs(handle);
    open.push(elsewhere);
    const fd = elsewhere.fs.openSync("/f");
    context.close();
    context.close();
    assert.equal(
      codeOf(() => context.fs.statSync("/f")),
      "ERR_THREADFS_CLOSED",
    );
    for (const call of [
      (fs) => fs.statSync("/f"),
      (fs) => fs.fstatSync(fd),
      (fs) => fs.openSync("/f"),
      (fs) => fs.mkdirSync("/x"),
    ]) {
      assert.equal(
        codeOf(() => call(elsewhere.fs)),
        "EBADF",
      );
    }
    await assert.rejects(attachVfs(handle), { code: "ERR_THREADFS_HANDLE" });
    // The next ones get its place in the table, and not its number.
    const next = Array.from({ length: 10 }, () => vfs.context());
    assert.equal(
      codeOf(() => elsewhere.fs.statSync("/f")),
      "EBADF",
    );
    for (const one of next) one.close();
    untouched(vfs);
  });

  test("a context that is closed in the middle of a call: the call ends as who it was, or as nobody", async (t) => {
    const tree = await debugTree();
    t.after(() => tree.close());
    const { vfs } = tree;
    for (const dir of ["/a", "/secret"]) vfs.fs.mkdirSync(dir, { mode: 0o755 });
    vfs.fs.writeFileSync("/secret/f", "x");
    vfs.fs.writeFileSync("/a/mine", "x", { mode: 0o666 });
    vfs.fs.chmodSync("/secret", 0o700);
    for (const [path, right] of [
      ["/a/../secret/f", ["EACCES", "EBADF"]],
      ["/a/mine", [undefined, "EBADF"]],
    ]) {
      for (const ref of [true, false]) {
        const level = gauges(vfs);
        const context = vfs.context({ uid: 1000, gid: 1000 });
        const walker = await walkerOf(t, context.handle);
        walker.walkMode({ ref });
        let others = [];
        walker.at(ref ? POINT.COMPONENT : POINT.DROPPED, () => {
          context.close();
          gauges(vfs);
          // Its memory, were it free, would be one of these.
          others = [1, 2, 3, 4].map(() => vfs.context());
        });
        const code = codeOf(() => walker.fs.openSync(path));
        assert.ok(right.includes(code), `${path} ${ref}: ${code}`);
        for (const { fs } of others) assert.equal(fs.openSync("/a/mine"), 3, "nobody else's descriptor is in there");
        for (const other of others) other.close();
        assert.deepEqual(gauges(vfs), level);
      }
    }
  });

  test("256 attachments and not one more", async () => {
    const vfs = await tree();
    const attached = [];
    for (let i = 1; i < MAX_THREADS; i++) attached.push(await attachVfs(vfs.handle));
    await assert.rejects(attachVfs(vfs.handle), { code: "EUSERS", errno: -ERRNO.EUSERS });
    attached.at(-1).fs.writeFileSync("/f", "last");
    attached.pop().close();
    const again = await attachVfs(vfs.handle);
    assert.equal(again.fs.readFileSync("/f", "utf8"), "last");
    for (const one of [again, ...attached]) one.close();
  });

  test("1024 contexts and not one more", async () => {
    const vfs = await tree();
    const contexts = [];
    for (let i = 1; i < MAX_CONTEXTS; i++) contexts.push(vfs.context({ uid: i }));
    assert.equal(
      codeOf(() => vfs.context()),
      "ENOSPC",
    );
    contexts.pop().close();
    contexts.push(vfs.context());
    for (const context of contexts) assert.deepEqual(context.fs.readdirSync("/"), []);
    for (const context of contexts) context.close();
  });

  test("mounts, drivers, slots and the rest", async () => {
    const vfs = await withFile();
    for (const type of [undefined, null, 5, {}]) {
      assert.equal(
        codeOf(() => vfs.mount("none", "/d", type)),
        "ERR_INVALID_ARG_TYPE",
      );
    }
    assert.equal(
      codeOf(() => vfs.mount("none", "/d", "nosuchfs")),
      "ENODEV",
    );
    assert.equal(
      codeOf(() => vfs.mount("none", "/f", "tmpfs")),
      "ENOTDIR",
    );
    assert.equal(
      codeOf(() => vfs.umount("/d")),
      "EINVAL",
    );
    assert.equal(
      codeOf(() => vfs.umount("/")),
      "EBUSY",
    );
    for (const driver of [
      undefined,
      null,
      5,
      {},
      { name: 5, root() {} },
      { name: "d" },
      { name: "d", root() {}, lookup: 5 },
    ]) {
      assert.equal(
        codeOf(() => vfs.registerDriver(driver)),
        "ERR_INVALID_ARG_TYPE",
      );
    }
    for (const name of ["", "x".repeat(101)]) {
      assert.equal(
        codeOf(() => vfs.registerDriver({ name, root() {} })),
        "EINVAL",
      );
    }
    assert.equal(
      codeOf(() => vfs.unregisterDriver("nosuchfs")),
      "ENODEV",
    );
    for (const n of [-1, 1.5, Number.NaN, 2 ** 31]) {
      assert.equal(
        codeOf(() => vfs.shrink(n)),
        "ERR_OUT_OF_RANGE",
      );
      assert.equal(
        codeOf(() => vfs.threadDied(n)),
        "ERR_OUT_OF_RANGE",
      );
    }
    assert.equal(
      codeOf(() => vfs.threadDied(vfs.threadSlot)),
      "EINVAL",
    );
    untouched(vfs);
  });
});

describe("the core itself", () => {
  /** mulberry32 */
  function generator(seed) {
    let a = seed;
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let z = Math.imul(a ^ (a >>> 15), 1 | a);
      z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
      return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
    };
  }
  const ODD = [
    0,
    1,
    -1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    100,
    -100,
    255,
    256,
    4095,
    4096,
    65536,
    65537,
    2 ** 31 - 1,
    -(2 ** 31),
    2 ** 32 - 1,
  ];
  const FLOATS = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    0.5,
    -0.5,
    1e18,
    1e300,
    -1e300,
    2 ** 53,
    2 ** 63,
    -(2 ** 63),
  ];
  /** Not for a fuzzer: they take this thread, or another one, off the arena, or the test with it. */
  const APART = new Set(["arenaInit", "threadAttach", "threadDetach", "threadDead", "contextDestroy", "memory"]);
  const PATHS = [
    "/",
    "/f",
    "/d",
    "/d/x",
    ".",
    "..",
    "/d/..",
    "/none",
    "/l",
    "/loop",
    "//f/",
    "/f/x",
    "n".repeat(255),
    "n".repeat(300),
    "",
  ];

  test("any numbers for any call: an answer, never a trap, and a tree that is whole", async (t) => {
    const vfs = await tree({ maxBytes: 16 << 20 });
    const { fs } = vfs;
    fs.writeFileSync("/keep", "kept");
    fs.mkdirSync("/stay");
    // Whatever the calls do to the contexts whose numbers they guess, this one they do not.
    const sane = vfs.context();
    const spare = vfs.context();
    const raw = rawCore(t, spare.handle);
    const { core, arena } = raw;
    const names = Object.keys(core).filter((name) => typeof core[name] === "function" && !APART.has(name));
    const random = generator(20);
    const pick = (list) => list[Math.floor(random() * list.length)];
    const answers = new Set();
    for (let i = 0; i < 20_000; i++) {
      const name = pick(names);
      const [path, path2] = [pick(PATHS), pick(PATHS)];
      const length = raw.path(path);
      raw.path2(path2);
      if (random() < 0.1) arena.io.fill(Math.floor(random() * 256), 0, 256);
      const args = Array.from({ length: core[name].length }, () => (random() < 0.5 ? pick(ODD) : pick(FLOATS)));
      // Half of them come with a context and a length that let them through to where it gets interesting.
      if (random() < 0.7) args[0] = spare.handle.ctx;
      if (random() < 0.5 && name.startsWith("sys"))
        args[name === "sysMountNew" || name === "sysUmount" ? 1 : 2] = length;
      const answer = core[name](...args);
      assert.equal(typeof answer, "number", name);
      assert.ok(answer >= -200 || name === "scratchBase", `${name}(${args}) = ${answer}`);
      answers.add(Math.sign(answer));
      if (core.walkMode(0) < 0) assert.fail("the walk's mode");
    }
    assert.deepEqual([...answers].sort(), [-1, 0, 1]);
    assert.equal(sane.fs.readFileSync("/keep", "utf8"), "kept");
    assert.ok(sane.fs.statSync("/stay").isDirectory());
    for (const name of sane.fs.readdirSync("/")) sane.fs.lstatSync(`/${name}`);
    sane.fs.writeFileSync("/after", "x".repeat(10_000));
    assert.equal(sane.fs.readFileSync("/after", "utf8").length, 10_000);
    sane.close();
  });

  test("offsets and sizes that are no numbers one could mean", async (t) => {
    const vfs = await withFile();
    const { core, ctx, path, openat } = rawCore(t, vfs.handle);
    const fd = openat(-100, "/f", 2);
    assert.ok(fd >= 0);
    for (const offset of FLOATS) {
      const read = core.sysRead(ctx, fd, offset, 1);
      assert.ok(read >= 0 && read <= 1, `read at ${offset}: ${read}`);
      const seek = core.sysLseek(ctx, fd, offset, 0);
      assert.ok(seek >= 0 || seek === -ERRNO.EINVAL, `seek to ${offset}: ${seek}`);
      assert.equal(core.sysLseek(ctx, fd, 0, 0), 0);
      if (offset >= MAX_FILE_SIZE) assert.equal(core.sysWrite(ctx, fd, offset, 1), -ERRNO.EFBIG, `write at ${offset}`);
      const expected = offset > MAX_FILE_SIZE ? -ERRNO.EFBIG : offset >= 0 ? 0 : -ERRNO.EINVAL;
      if (offset !== 0.5) {
        assert.equal(core.sysFtruncate(ctx, fd, offset), expected, `ftruncate to ${offset}`);
        assert.equal(core.sysTruncate(ctx, -100, path("/f"), offset), expected, `truncate to ${offset}`);
      }
    }
    assert.equal(core.sysWrite(ctx, fd, 0, IO_SIZE + 1), -ERRNO.EINVAL);
    assert.equal(core.sysLseek(ctx, fd, 0, 3), -ERRNO.EINVAL);
    assert.equal(core.sysLseek(ctx, fd, 0, -1), -ERRNO.EINVAL);
    assert.equal(core.sysClose(ctx, fd), 0);
    untouched(vfs);
  });

  test("flags nobody knows, and lengths that lie", async (t) => {
    const vfs = await withFile();
    const { core, ctx, path, path2 } = rawCore(t, vfs.handle);
    const [f, d] = [path("/f"), path2("/d")];
    assert.equal(core.sysAccess(ctx, -100, f, 8, 0), -ERRNO.EINVAL);
    assert.equal(core.sysRename(ctx, -100, f, -100, d, 3), -ERRNO.EINVAL);
    assert.equal(core.sysRename(ctx, -100, f, -100, d, 8), -ERRNO.EINVAL);
    assert.equal(core.sysUmount(ctx, f, 64), -ERRNO.EINVAL);
    assert.equal(core.sysMount(ctx, f, d, 0), -ERRNO.EINVAL);
    assert.equal(core.sysMountNew(ctx, path("/d"), 99, 0), -ERRNO.ENODEV);
    assert.equal(core.sysMknod(ctx, -100, path("/p"), 0o060644), -ERRNO.EPERM);
    assert.equal(core.sysOpen(ctx, -100, path("/f"), 0o20000000, 0), -ERRNO.EOPNOTSUPP);
    assert.equal(core.contextCreate(ctx, 0, 0, 0, 100_000, -1), -ERRNO.EINVAL);
    assert.equal(core.sysSetacl(ctx, -100, path("/f"), 100_000), -ERRNO.ERANGE);
    assert.equal(core.sysSetacl(ctx, -100, path("/f"), 1), -ERRNO.EINVAL);
    for (const length of [-1, -(2 ** 31)]) assert.equal(core.sysStat(ctx, -100, length, 0), -ERRNO.ENOENT);
    for (const length of [PATH_MAX + 1, 2 ** 31 - 1])
      assert.equal(core.sysStat(ctx, -100, length, 0), -ERRNO.ENAMETOOLONG);
    for (const bad of [-1, 1, 1023, 1024, 2 ** 31 - 1]) assert.equal(core.sysStat(bad, -100, f, 0), -ERRNO.EBADF);
    assert.equal(core.threadAttach(1), -ERRNO.EINVAL, "one slot a thread");
    assert.equal(core.arenaInit(1 << 24, 1, 2), -ERRNO.EINVAL, "an arena is made once");
    for (const slot of [-1, 256, 2 ** 31 - 1, 200]) assert.equal(core.threadDead(slot), -ERRNO.EINVAL);
    assert.ok(SCRATCH.SIZE > 0);
    untouched(vfs);
  });
});
