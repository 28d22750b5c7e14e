/** Arguments: the forms that node:fs takes, and its errors for others. */
import { describe } from "node:test";
import { pathToFileURL } from "node:url";
import { type CallName, type UncheckedCalls, unchecked } from "../../../support/fs-calls.js";
import { suite, type Work } from "../both.js";

const tree = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/file`, "contents");
  fs.writeFileSync(`${dir}/with space%25ü`, "x");
  fs.mkdirSync(`${dir}/dir`);
});
const { same } = tree;

const PATH_CALLS = Object.entries({
  accessSync: [],
  chmodSync: [0o600],
  chownSync: [0, 0],
  lstatSync: [],
  mkdirSync: [],
  openSync: [],
  readdirSync: [],
  readFileSync: [],
  readlinkSync: [],
  rmdirSync: [],
  statSync: [],
  truncateSync: [0],
  unlinkSync: [],
  utimesSync: [1, 1],
  opendirSync: [],
} satisfies { [name in CallName]?: unknown[] }) as [CallName, unknown[]][];

describe("paths", () => {
  for (const [name, rest] of PATH_CALLS) {
    for (const bad of [undefined, null, true, {}, [], 1.5, () => 1]) {
      // Only old versions of Node take a descriptor here.
      if (name === "truncateSync" && typeof bad === "number") continue;
      same(`${name}(${String(typeof bad === "object" ? JSON.stringify(bad) : String(bad))})`, (fs) => {
        unchecked(fs)[name](bad, ...rest);
      });
    }
    same(`${name} with a NUL`, (fs) => unchecked(fs)[name]("/a\0b", ...rest));
    same(`${name} with a NUL in a Buffer`, (fs) => unchecked(fs)[name](Buffer.from("/a\0b"), ...rest));
    same(`${name} with an http: URL`, (fs) => unchecked(fs)[name](new URL("http://localhost/a"), ...rest));
    same(`${name} with a host in its URL`, (fs) => unchecked(fs)[name](new URL("file://host/a"), ...rest));
    same(`${name} with an encoded slash in its URL`, (fs) => unchecked(fs)[name](new URL("file:///a%2Fb"), ...rest));
  }
  for (const name of ["renameSync", "linkSync", "symlinkSync", "copyFileSync", "cpSync"] as const) {
    same(`${name} names its first argument`, (fs) => unchecked(fs)[name](5, "/x"));
    same(`${name} names its second argument`, (fs) => unchecked(fs)[name]("/x", 5));
    same(`${name} with a NUL in the second`, (fs) => unchecked(fs)[name]("/x", "/a\0b"));
  }
  same("mkdtempSync names its argument", (fs) => unchecked(fs).mkdtempSync(5));
  same("existsSync never throws", (fs, dir) =>
    [undefined, null, 5, {}, "", "\0", "/a\0", Buffer.from("a\0"), dir, Buffer.from(dir), `${dir}/x`].map((path) =>
      unchecked(fs).existsSync(path),
    ),
  );
});

describe("forms of a path", () => {
  same("string, Buffer, Uint8Array and URL are one file", (fs, dir) => {
    const path = `${dir}/with space%25ü`;
    return [path, Buffer.from(path), new TextEncoder().encode(path), pathToFileURL(path)].map((form) =>
      unchecked(fs).readFileSync(form, "utf8"),
    );
  });
  same("a lone surrogate becomes U+FFFD", (fs, dir) => {
    fs.writeFileSync(`${dir}/a\ud800b`, "");
    return [fs.readdirSync(dir), fs.existsSync(`${dir}/a\ufffdb`), fs.existsSync(`${dir}/a\udfffb`)];
  });
  same("bytes that are no UTF-8 are kept", (fs, dir) => {
    const name = Buffer.from([0x61, 0xff, 0xfe]);
    fs.writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), name]), "bytes");
    const names = fs.readdirSync(dir, "buffer").map((entry) => entry.toString("hex"));
    return [names, fs.readdirSync(dir), fs.readdirSync(dir, "latin1")];
  });
  same("names beyond the first plane are sorted by their bytes", (fs, dir) => {
    for (const name of ["\u{1f600}", "\uffee", "z", "ä", "\ue000"]) fs.writeFileSync(`${dir}/${name}`, "");
    return fs.readdirSync(dir);
  });
  same("a name can have 255 bytes", (fs, dir) => {
    const name = "n".repeat(255);
    fs.writeFileSync(`${dir}/${name}`, "");
    return fs.readdirSync(dir).includes(name);
  });
  same("a name of 128 letters can have 255 bytes", (fs, dir) => {
    const name = `${"ü".repeat(127)}n`;
    fs.writeFileSync(`${dir}/${name}`, "x");
    return fs.statSync(`${dir}/${name}`).size;
  });
  same("a path can have 4095 bytes and not 4096", (fs, dir) => {
    const fill = (length: number) => `${dir}${"/".repeat(length - dir.length - 4)}file`;
    return [fs.readFileSync(fill(4095), "utf8"), fs.existsSync(fill(4096)), fs.existsSync(fill(5000))];
  });
});

describe("descriptors, modes, flags, ids, times", () => {
  for (const bad of [undefined, null, "3", -1, 1.5, Number.NaN, 2 ** 31, 3n, {}]) {
    const shown = typeof bad === "bigint" ? `${bad}n` : String(bad);
    for (const name of ["closeSync", "fsyncSync", "fdatasyncSync"] as const)
      same(`${name}(${shown})`, (fs) => unchecked(fs)[name](bad));
    same(`fstatSync(${shown})`, (fs) => unchecked(fs).fstatSync(bad));
    same(`readSync(${shown})`, (fs) => unchecked(fs).readSync(bad, Buffer.alloc(1)));
    same(`writeSync(${shown})`, (fs) => unchecked(fs).writeSync(bad, "x"));
  }
  same("readSync(-0) is descriptor 0", (fs) => {
    try {
      fs.readSync(-0, Buffer.alloc(0));
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
    return "read";
  });
  for (const bad of [-1, 1.5, "9", "abc", {}, 2 ** 33, null, undefined]) {
    same(`chmodSync(mode ${String(bad)})`, (fs, dir) => unchecked(fs).chmodSync(`${dir}/file`, bad));
  }
  same("an octal string is a mode", (fs, dir) => {
    fs.chmodSync(`${dir}/file`, "640");
    return fs.statSync(`${dir}/file`).mode;
  });
  for (const bad of ["q", "rw", "", {}, true, 1.5]) {
    same(`openSync(flags ${JSON.stringify(bad)})`, (fs, dir) => unchecked(fs).openSync(`${dir}/file`, bad));
  }
  for (const bad of [8, -1, "r", {}, Number.NaN]) {
    same(`accessSync(mode ${JSON.stringify(bad)})`, (fs, dir) => unchecked(fs).accessSync(`${dir}/file`, bad));
    same(`copyFileSync(mode ${JSON.stringify(bad)})`, (fs, dir) =>
      unchecked(fs).copyFileSync(`${dir}/file`, `${dir}/b`, bad),
    );
  }
  for (const bad of [-2, 2 ** 32, 1.5, "1", undefined]) {
    same(`chownSync(uid ${String(bad)})`, (fs, dir) => unchecked(fs).chownSync(`${dir}/file`, bad, 0));
    same(`lchownSync(gid ${String(bad)})`, (fs, dir) => unchecked(fs).lchownSync(`${dir}/file`, 0, bad));
  }
  for (const bad of ["x", {}, null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
    same(`utimesSync(${String(bad)})`, (fs, dir) => unchecked(fs).utimesSync(`${dir}/file`, bad, 1));
  }
  same("times as Date, number and string", (fs, dir) => {
    const times: bigint[] = [];
    for (const time of [new Date(1234567000), 1234567, "1234567", 1234567.5, "1234567.25"]) {
      fs.utimesSync(`${dir}/file`, time, time);
      times.push(fs.statSync(`${dir}/file`, { bigint: true }).mtimeNs);
    }
    return times;
  });
  same("times before 1970", (fs, dir) => {
    fs.utimesSync(`${dir}/file`, new Date(-1500), new Date(-86400000));
    const stats = fs.statSync(`${dir}/file`);
    return [stats.atimeMs, stats.mtimeMs, stats.atime, stats.mtime];
  });
  same("ftruncateSync(len)", (fs, dir) => {
    const fd = fs.openSync(`${dir}/file`, "r+");
    try {
      unchecked(fs).ftruncateSync(fd, "5");
    } finally {
      fs.closeSync(fd);
    }
  });
  same("a negative length truncates to nothing", (fs, dir) => {
    fs.truncateSync(`${dir}/file`, -5);
    return fs.statSync(`${dir}/file`).size;
  });
});

describe("options", () => {
  for (const bad of ["nope", 5, { encoding: "nope" }, true]) {
    const shown = JSON.stringify(bad);
    same(`readFileSync(${shown})`, (fs, dir) => unchecked(fs).readFileSync(`${dir}/file`, bad));
    same(`writeFileSync(${shown})`, (fs, dir) => unchecked(fs).writeFileSync(`${dir}/file`, "x", bad));
    same(`readdirSync(${shown})`, (fs, dir) => unchecked(fs).readdirSync(dir, bad));
    same(`readlinkSync(${shown})`, (fs, dir) => unchecked(fs).readlinkSync(`${dir}/file`, bad));
    same(`mkdtempSync(${shown})`, (fs, dir) => {
      unchecked(fs).mkdtempSync(`${dir}/x`, bad);
    });
  }
  same("mkdirSync(recursive: 1)", (fs, dir) => unchecked(fs).mkdirSync(`${dir}/x`, { recursive: 1 }));
  same("mkdirSync(mode)", (fs, dir) => fs.mkdirSync(`${dir}/x`, { mode: "x" }));
  same("readdirSync(recursive: 1)", (fs, dir) => unchecked(fs).readdirSync(dir, { recursive: 1 }));
  same("rmSync(recursive: 1)", (fs, dir) => unchecked(fs).rmSync(`${dir}/dir`, { recursive: 1 }));
  same("rmSync(maxRetries: -1)", (fs, dir) => fs.rmSync(`${dir}/dir`, { maxRetries: -1 }));
  same("rmSync(options 5)", (fs, dir) => unchecked(fs).rmSync(`${dir}/dir`, 5));
  same("cpSync(force: 1)", (fs, dir) => unchecked(fs).cpSync(`${dir}/file`, `${dir}/x`, { force: 1 }));
  same("cpSync(filter: 1)", (fs, dir) => unchecked(fs).cpSync(`${dir}/file`, `${dir}/x`, { filter: 1 }));
  same("cpSync(dereference and verbatimSymlinks)", (fs, dir) =>
    fs.cpSync(`${dir}/file`, `${dir}/x`, { dereference: true, verbatimSymlinks: true }),
  );
  same("symlinkSync(type)", (fs, dir) => fs.symlinkSync("x", `${dir}/x`, "dir"));
  same("symlinkSync(bad type)", (fs, dir) => unchecked(fs).symlinkSync("x", `${dir}/x`, "nope"));
  same("writeFileSync(data)", (fs, dir) => unchecked(fs).writeFileSync(`${dir}/file`, 5));
  same("appendFileSync(data)", (fs, dir) => unchecked(fs).appendFileSync(`${dir}/file`, {}));
  same("writeFileSync(flush: 1)", (fs, dir) => unchecked(fs).writeFileSync(`${dir}/file`, "x", { flush: 1 }));
  same("fs.constants of Linux", (fs) => {
    const { F_OK, R_OK, W_OK, X_OK, O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = fs.constants;
    const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, COPYFILE_EXCL, COPYFILE_FICLONE } = fs.constants;
    const open = [O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND];
    return [F_OK, R_OK, W_OK, X_OK, ...open, S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, COPYFILE_EXCL, COPYFILE_FICLONE];
  });
});

describe("buffers of read and write", () => {
  type DescriptorCalls = Readonly<Record<string, (fs: UncheckedCalls, fd: number) => unknown>>;

  const withFd =
    (work: DescriptorCalls[string]): Work =>
    (fs, dir) => {
      const fd = fs.openSync(`${dir}/file`, "r+");
      try {
        return work(unchecked(fs), fd);
      } finally {
        fs.closeSync(fd);
      }
    };
  const buffer = () => Buffer.alloc(4, ".");
  const reads: DescriptorCalls = {
    "no buffer": (fs, fd) => fs.readSync(fd),
    "a string": (fs, fd) => fs.readSync(fd, "x"),
    "an empty buffer": (fs, fd) => fs.readSync(fd, Buffer.alloc(0), 0, 1),
    "an empty buffer and no length": (fs, fd) => fs.readSync(fd, Buffer.alloc(0)),
    "an offset behind the end": (fs, fd) => fs.readSync(fd, buffer(), 5, 1),
    "a negative offset": (fs, fd) => fs.readSync(fd, buffer(), -1, 1),
    "a length too long": (fs, fd) => fs.readSync(fd, buffer(), 0, 5),
    "a negative length": (fs, fd) => fs.readSync(fd, buffer(), 0, -1),
    "a bad offset in options": (fs, fd) => fs.readSync(fd, buffer(), { offset: "1" }),
    "options that are none": (fs, fd) => fs.readSync(fd, buffer(), 1),
    "a position that is none": (fs, fd) => fs.readSync(fd, buffer(), 0, 1, "1"),
    "a position of -2": (fs, fd) => fs.readSync(fd, buffer(), 0, 1, -2),
    "a huge bigint position": (fs, fd) => fs.readSync(fd, buffer(), 0, 1, 2n ** 63n),
    "a bigint position": (fs, fd) => fs.readSync(fd, buffer(), 0, 1, 2n),
    "null for a position": (fs, fd) => fs.readSync(fd, buffer(), 0, 1, null),
    "a Uint16Array": (fs, fd) => fs.readSync(fd, new Uint16Array(2)),
    "a DataView": (fs, fd) => fs.readSync(fd, new DataView(new ArrayBuffer(3))),
  };
  for (const [name, work] of Object.entries(reads)) same(`readSync: ${name}`, withFd(work));
  const writes: DescriptorCalls = {
    "no data": (fs, fd) => fs.writeSync(fd),
    "a number": (fs, fd) => fs.writeSync(fd, 5),
    "an offset behind the end": (fs, fd) => fs.writeSync(fd, buffer(), 5),
    "a length too long": (fs, fd) => fs.writeSync(fd, buffer(), 1, 4),
    "a negative length": (fs, fd) => fs.writeSync(fd, buffer(), 1, -1),
    options: (fs, fd) => fs.writeSync(fd, buffer(), { offset: 1, length: 2, position: 3 }),
    "hex of odd length": (fs, fd) => fs.writeSync(fd, "abc", 0, "hex"),
    hex: (fs, fd) => fs.writeSync(fd, "616263", 0, "hex"),
    latin1: (fs, fd) => fs.writeSync(fd, "äöü", null, "latin1"),
    "an empty string": (fs, fd) => fs.writeSync(fd, ""),
  };
  for (const [name, work] of Object.entries(writes)) same(`writeSync: ${name}`, withFd(work));
});
