/** Arguments out of their range give a clear error and leave the tree unchanged. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { codeOf, refused } from "../../support/errors.js";
import { type UncheckedCalls, unchecked } from "../../support/fs-calls.js";
import { rawCore } from "../../support/raw-core.js";
import { PATH_CALLS, refusedByAll, TREE_CALLS, treeWithFile, untouched } from "./path-calls.js";
import { tree } from "./trees.js";

const PATH_MAX = 4095;
const MAX_FILE_SIZE = 4 * 2 ** 40;

const RANGE_OR_TYPE = /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/;
const ARGUMENT_ERROR = /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE|INVALID_ARG_VALUE)$/;

/** The run fails with a code that matches. */
function refusedBy(code: RegExp, run: () => unknown, message?: string): void {
  assert.match(codeOf(run) ?? "no error", code, message);
}

describe("paths: empty, with a NUL, and too long", () => {
  test("a path with a NUL is refused as a string, a Buffer and a URL", async () => {
    const vfs = await treeWithFile();
    for (const path of ["/f\0", "\0", "/f\0/..", Buffer.from("/f\0x"), new URL("file:///f%00x")]) {
      refusedByAll("ERR_INVALID_ARG_VALUE", vfs, path);
      assert.equal(vfs.fs.existsSync(path), false);
    }
    untouched(vfs);
  });

  test("an empty path gives ENOENT in every call", async () => {
    const vfs = await treeWithFile();
    for (const path of ["", Buffer.alloc(0)]) {
      // For realpathSync() Node makes an absolute path of the empty one: the working directory.
      refusedByAll("ENOENT", vfs, path, ["realpathSync"]);
      assert.equal(vfs.fs.existsSync(path), false);
    }
    untouched(vfs);
  });

  test("a path can have 4095 bytes; one more gives ENAMETOOLONG", async () => {
    const vfs = await treeWithFile();
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
      // realpathSync() takes the dots and double slashes out before it looks at the length, realpath(3) looks at each name.
      refusedByAll("ENAMETOOLONG", vfs, path, ["realpathSync", "realpathSync.native"]);
      assert.equal(fs.existsSync(path), false);
    }
    untouched(vfs);
    fs.symlinkSync("b".repeat(PATH_MAX), "/link");
    assert.equal(fs.readlinkSync("/link").length, PATH_MAX);
    refused("ENAMETOOLONG", () => fs.statSync("/link"), "one component");
  });

  test("a name has at most 255 bytes, wherever it stands", async () => {
    const { fs } = await treeWithFile();
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
      refused("ENAMETOOLONG", () => fs.renameSync("/f", `/${name}`));
      refused("ENAMETOOLONG", () => fs.mkdirSync(`/a/${name}`, { recursive: true }));
    }
    fs.rmSync("/a", { recursive: true, force: true });
  });
});

describe("paths: bytes, text and values of other types", () => {
  test("lone surrogates become U+FFFD, as in Node", async () => {
    const { fs } = await tree();
    fs.writeFileSync("/a\ud800b", "x");
    assert.deepEqual(fs.readdirSync("/"), ["a\ufffdb"]);
    assert.equal(fs.readFileSync("/a\udfffb", "utf8"), "x");
    refused("ENOENT", () => fs.statSync("/\ud800"));
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
    const path = (name: readonly number[], dir = "/d/") => Buffer.concat([Buffer.from(dir), Buffer.from(name)]);
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

  test("names that differ only in byte n are different names, for every n", async () => {
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

  test("values that are no path are refused", async () => {
    const vfs = await treeWithFile();
    const wrong: unknown[] = [undefined, null, 5, true, {}, [], Symbol("p"), () => {}, new Uint16Array(2)];
    for (const bad of wrong) {
      for (const [name, call] of Object.entries(PATH_CALLS)) {
        // These calls take descriptors too: as in Node they make a number of the value first.
        if ((bad === 5 || typeof bad === "symbol") && /readFile|writeFile|appendFile/.test(name)) continue;
        // Node's walk makes a string of whatever it is given.
        if (name === "realpathSync") continue;
        const code = codeOf(() => call(vfs.fs, bad as string));
        assert.equal(code, "ERR_INVALID_ARG_TYPE", `${name} ${typeof bad}`);
      }
      for (const [name, call] of Object.entries(TREE_CALLS)) {
        if ((bad === undefined || bad === null) && name.startsWith("context")) continue;
        refused("ERR_INVALID_ARG_TYPE", () => call(vfs, bad as string), name);
      }
      assert.equal(unchecked(vfs.fs).existsSync(bad), false);
    }
    for (const url of ["http://x/f", "file:///a%2fb", "file://host/f"]) {
      refusedBy(/^ERR_INVALID_(URL_SCHEME|FILE_URL_PATH|FILE_URL_HOST)$/, () => vfs.fs.statSync(new URL(url)));
    }
    assert.equal(vfs.fs.statSync(pathToFileURL("/f")).size, 1);
    untouched(vfs);
  });
});

describe("descriptors", () => {
  const FD_CALLS: Readonly<Record<string, (fs: UncheckedCalls, fd: unknown) => unknown>> = {
    closeSync: (fs, fd) => fs.closeSync(fd),
    fstatSync: (fs, fd) => fs.fstatSync(fd),
    readSync: (fs, fd) => fs.readSync(fd, Buffer.alloc(1)),
    writeSync: (fs, fd) => fs.writeSync(fd, "x"),
    ftruncateSync: (fs, fd) => fs.ftruncateSync(fd, 0),
    fchmodSync: (fs, fd) => fs.fchmodSync(fd, 0),
  };

  test("closed, never opened and foreign descriptors give EBADF", async () => {
    const vfs = await treeWithFile();
    const { fs } = vfs;
    const closed = fs.openSync("/f", "r");
    fs.closeSync(closed);
    const other = vfs.context();
    // Its number is higher than that of any descriptor here.
    other.fs.openSync("/f", "r");
    const foreign = other.fs.openSync("/f", "r");
    for (const fd of [closed, foreign, 0, 1, 2, 777, 16383, 16384, 2 ** 31 - 1]) {
      for (const [name, call] of Object.entries(FD_CALLS)) {
        refused("EBADF", () => call(unchecked(fs), fd), `${name} ${fd}`);
      }
      refused("EBADF", () => fs.readFileSync(fd));
      refused("EBADF", () => fs.writeFileSync(fd, "x"));
    }
    assert.equal(other.fs.readFileSync(foreign, "utf8"), "x");
    other.close();
    untouched(vfs);
  });

  test("values that are no descriptor are refused", async () => {
    const { fs } = await treeWithFile();
    for (const [name, call] of Object.entries(FD_CALLS)) {
      for (const fd of [-1, 1.5, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY]) {
        refused("ERR_OUT_OF_RANGE", () => call(unchecked(fs), fd), `${name} ${fd}`);
      }
      for (const fd of [undefined, null, "3", {}, true]) {
        refused("ERR_INVALID_ARG_TYPE", () => call(unchecked(fs), fd), `${name} ${fd}`);
      }
    }
  });

  test("a descriptor refuses what it was not opened for", async () => {
    const { fs } = await treeWithFile();
    const [r, w, d] = [fs.openSync("/f", "r"), fs.openSync("/f", "a"), fs.openSync("/d", "r")];
    refused("EBADF", () => fs.writeSync(r, "x"));
    refused("EBADF", () => fs.readSync(w, Buffer.alloc(1)));
    refused("EISDIR", () => fs.readSync(d, Buffer.alloc(1)));
    refused("EINVAL", () => fs.ftruncateSync(r, 0));
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
      refused("EFBIG", () => fs.truncateSync("/f", size));
    }
    const fd = fs.openSync("/f", "r+");
    refused("EFBIG", () => fs.writeSync(fd, "x", MAX_FILE_SIZE));
    refused("EFBIG", () => fs.writeSync(fd, "x", Number.MAX_SAFE_INTEGER));
    assert.equal(fs.writeSync(fd, "y", MAX_FILE_SIZE - 1), 1);
    assert.equal(fs.readSync(fd, Buffer.alloc(4), 0, 4, MAX_FILE_SIZE - 2), 2);
    assert.equal(fs.readSync(fd, Buffer.alloc(4), 0, 4, Number.MAX_SAFE_INTEGER), 0);
    assert.equal(fs.fstatSync(fd).size, MAX_FILE_SIZE);
    assert.equal(raw.arena.closed, false);
    fs.ftruncateSync(fd, 1);
    assert.equal(fs.readFileSync("/f", "utf8"), "x");
    fs.closeSync(fd);
  });

  test("values that are no size or offset are refused as in Node", async () => {
    const { fs } = await treeWithFile();
    const fd = fs.openSync("/f", "r+");
    for (const size of [1.5, Number.NaN, "1", {}, Number.POSITIVE_INFINITY]) {
      refusedBy(RANGE_OR_TYPE, () => unchecked(fs).ftruncateSync(fd, size), `${size}`);
    }
    for (const position of ["0", {}, Number.NaN, 1.5, 2 ** 63]) {
      refusedBy(RANGE_OR_TYPE, () => unchecked(fs).readSync(fd, Buffer.alloc(1), 0, 1, position), `${position}`);
    }
    for (const [offset, length] of [
      [-1, 1],
      [2, 1],
      [0, 2],
      [0, -1],
      [Number.NaN, 1],
    ] as const) {
      refusedBy(ARGUMENT_ERROR, () => fs.readSync(fd, Buffer.alloc(1), offset, length, 0), `${offset} ${length}`);
      refusedBy(ARGUMENT_ERROR, () => fs.writeSync(fd, Buffer.alloc(1), offset, length, 0), `${offset} ${length}`);
    }
    assert.equal(fs.readFileSync("/f", "utf8"), "x");
    fs.closeSync(fd);
  });

  test("modes, umasks, ids and times out of range are refused or cut", async () => {
    const vfs = await treeWithFile();
    const { fs } = vfs;
    for (const mode of [-1, 2 ** 32, 1.5, Number.NaN, "8", "", "0x1", {}, Symbol("m")]) {
      refusedBy(ARGUMENT_ERROR, () => unchecked(fs).chmodSync("/f", mode));
      refusedBy(ARGUMENT_ERROR, () => unchecked(fs).openSync("/f", "w", mode));
      refusedBy(ARGUMENT_ERROR, () => vfs.context({ umask: mode as number }));
    }
    for (const call of [() => vfs.umask(null as never), () => vfs.context({ umask: null as never })]) {
      assert.throws(call, {
        code: "ERR_INVALID_ARG_TYPE",
        message: /mask" \w+ must be of type number. Received null$/,
      });
    }
    fs.chmodSync("/f", 0o37777777777);
    assert.equal(fs.statSync("/f").mode, 0o107777, "only the permission bits count");
    fs.mkdirSync("/d/m", 0o37777777777);
    assert.equal(fs.statSync("/d/m").mode & 0o6000, 0);
    const masked = vfs.context({ umask: 0o37777777777 });
    masked.fs.mkdirSync("/d/n");
    assert.equal(fs.statSync("/d/n").mode & 0o777, 0);
    masked.close();
    for (const id of [-2, 2 ** 32, 0.5, "0", null]) {
      refusedBy(RANGE_OR_TYPE, () => unchecked(fs).chownSync("/f", id, 0));
    }
    for (const uid of [-1, 2 ** 32 - 1, 2 ** 40, 0.5, "0"]) {
      refusedBy(RANGE_OR_TYPE, () => vfs.context({ uid: uid as number }));
      refusedBy(RANGE_OR_TYPE, () => vfs.context({ groups: [uid as number] }));
    }
    for (const time of [Number.NaN, Number.POSITIVE_INFINITY, "x", {}, undefined]) {
      refused("ERR_INVALID_ARG_TYPE", () => unchecked(fs).utimesSync("/f", time, 1));
    }
    for (const flags of ["q", "", "ww", 1.5, Number.NaN, {}, 2 ** 31]) {
      refusedBy(ARGUMENT_ERROR, () => unchecked(fs).openSync("/f", flags));
    }
  });
});
