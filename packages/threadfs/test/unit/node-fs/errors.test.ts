/** Errors of system calls: code, errno, syscall, path, dest and message are those of node:fs. */

import type { PathLike } from "node:fs";
import { describe } from "node:test";
import type { FsCalls } from "../../support/fs-calls.js";
import { suite } from "./both.js";

const { same, sameCode } = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/file`, "x");
  fs.mkdirSync(`${dir}/dir/sub`, { recursive: true });
  fs.symlinkSync("nowhere", `${dir}/dangling`);
  fs.symlinkSync("loop", `${dir}/loop`);
});

const BAD_FD = 0x7ffffff0;
const LONG_NAME = "n".repeat(256);
const LONG_PATH = "p/".repeat(2100);

describe("a missing path", () => {
  const calls = {
    access: (fs, p) => fs.accessSync(p),
    chmod: (fs, p) => fs.chmodSync(p, 0o600),
    chown: (fs, p) => fs.chownSync(p, 1, 1),
    lchown: (fs, p) => fs.lchownSync(p, 1, 1),
    lstat: (fs, p) => fs.lstatSync(p),
    lutimes: (fs, p) => fs.lutimesSync(p, 1, 1),
    open: (fs, p) => fs.openSync(p),
    readdir: (fs, p) => fs.readdirSync(p),
    readFile: (fs, p) => fs.readFileSync(p),
    readlink: (fs, p) => fs.readlinkSync(p),
    realpath: (fs, p) => fs.realpathSync(p),
    "realpath.native": (fs, p) => fs.realpathSync.native(p),
    rmdir: (fs, p) => fs.rmdirSync(p),
    stat: (fs, p) => fs.statSync(p),
    truncate: (fs, p) => fs.truncateSync(p),
    unlink: (fs, p) => fs.unlinkSync(p),
    utimes: (fs, p) => fs.utimesSync(p, 1, 1),
  } satisfies Record<string, (fs: FsCalls, p: PathLike) => unknown>;
  for (const [name, call] of Object.entries(calls)) {
    same(`${name}: no such name`, (fs, dir) => call(fs, `${dir}/missing`));
    same(`${name}: no such directory`, (fs, dir) => call(fs, `${dir}/missing/below`));
    same(`${name}: a file where a directory must be`, (fs, dir) => call(fs, `${dir}/file/below`));
    same(`${name}: a name too long`, (fs, dir) => call(fs, `${dir}/${LONG_NAME}`));
    same(`${name}: a Buffer`, (fs, dir) => call(fs, Buffer.from(`${dir}/missing`)));
  }
  for (const name of ["access", "lstat", "open", "readdir", "readlink", "rmdir", "stat", "unlink"] as const) {
    same(`${name}: a path too long`, (fs) => calls[name](fs, `/${LONG_PATH}`));
    same(`${name}: the empty path`, (fs) => calls[name](fs, ""));
  }
});

describe("links that lead nowhere", () => {
  same("stat of a dangling link", (fs, dir) => fs.statSync(`${dir}/dangling`));
  same("stat of a loop", (fs, dir) => fs.statSync(`${dir}/loop`));
  same("open of a loop", (fs, dir) => fs.openSync(`${dir}/loop`));
  same("realpath of a dangling link", (fs, dir) => fs.realpathSync(`${dir}/dangling`));
  same("realpath of a loop", (fs, dir) => fs.realpathSync(`${dir}/loop`));
  same("realpath.native of a loop", (fs, dir) => fs.realpathSync.native(`${dir}/loop/x`));
  same("readlink of a file", (fs, dir) => fs.readlinkSync(`${dir}/file`));
  same("open with O_NOFOLLOW", (fs, dir) => fs.openSync(`${dir}/dangling`, fs.constants.O_NOFOLLOW));
});

describe("calls with two paths", () => {
  same("rename of nothing", (fs, dir) => fs.renameSync(`${dir}/missing`, `${dir}/y`));
  same("rename to nowhere", (fs, dir) => fs.renameSync(`${dir}/file`, `${dir}/missing/y`));
  same("rename of a directory into itself", (fs, dir) => fs.renameSync(`${dir}/dir`, `${dir}/dir/sub/x`));
  same("rename of a directory over a file", (fs, dir) => fs.renameSync(`${dir}/dir`, `${dir}/file`));
  same("rename of a file over a directory", (fs, dir) => fs.renameSync(`${dir}/file`, `${dir}/dir`));
  same("rename of a directory over a full one", (fs, dir) => {
    fs.mkdirSync(`${dir}/other`);
    fs.renameSync(`${dir}/other`, `${dir}/dir`);
  });
  same("link of nothing", (fs, dir) => fs.linkSync(`${dir}/missing`, `${dir}/y`));
  same("link over a file", (fs, dir) => fs.linkSync(`${dir}/file`, `${dir}/file`));
  same("link of a directory", (fs, dir) => fs.linkSync(`${dir}/dir`, `${dir}/y`));
  same("symlink over a file", (fs, dir) => fs.symlinkSync("target", `${dir}/file`));
  same("symlink to nowhere", (fs, dir) => fs.symlinkSync("target", `${dir}/missing/y`));
  same("symlink with an empty body", (fs, dir) => fs.symlinkSync("", `${dir}/y`));
  same("copyFile of nothing", (fs, dir) => fs.copyFileSync(`${dir}/missing`, `${dir}/y`));
  same("copyFile of a directory", (fs, dir) => fs.copyFileSync(`${dir}/dir`, `${dir}/y`));
  same("copyFile over a directory", (fs, dir) => fs.copyFileSync(`${dir}/file`, `${dir}/dir`));
  same("copyFile to nowhere", (fs, dir) => fs.copyFileSync(`${dir}/file`, `${dir}/missing/y`));
  same("copyFile with COPYFILE_EXCL", (fs, dir) => {
    fs.writeFileSync(`${dir}/y`, "");
    fs.copyFileSync(`${dir}/file`, `${dir}/y`, fs.constants.COPYFILE_EXCL);
  });
});

describe("copyFile that cannot be made: the errors of the destination come first", () => {
  const targets = [
    "y",
    "missing/y",
    "y/",
    "missing/",
    "file",
    "file/",
    "file/x",
    "dir",
    "dir/",
    "dangling",
    "dangling/",
  ];
  targets.push("loop", LONG_NAME, `${LONG_NAME}/`, LONG_PATH);
  const modes = { "no mode": 0, EXCL: 1, FORCE: 4, "FORCE and EXCL": 5 };
  for (const [name, mode] of Object.entries(modes)) {
    for (const to of targets) {
      const shown = to.length > 20 ? `${to.length} bytes` : to;
      same(`a directory to ${shown}, ${name}`, (fs, dir) => fs.copyFileSync(`${dir}/dir`, `${dir}/${to}`, mode));
      same(`a file to ${shown}, ${name}`, (fs, dir) => {
        fs.writeFileSync(`${dir}/from`, "");
        fs.copyFileSync(`${dir}/from`, `${dir}/${to}`, mode);
      });
    }
  }
});

describe("directories", () => {
  same("mkdir over a file", (fs, dir) => fs.mkdirSync(`${dir}/file`));
  same("mkdir over a directory", (fs, dir) => fs.mkdirSync(`${dir}/dir`));
  same("mkdir below a missing one", (fs, dir) => fs.mkdirSync(`${dir}/missing/y`));
  same("mkdir -p over a file", (fs, dir) => fs.mkdirSync(`${dir}/file`, { recursive: true }));
  same("mkdir -p below a file", (fs, dir) => fs.mkdirSync(`${dir}/file/y/z`, { recursive: true }));
  same("mkdir -p of the empty path", (fs) => fs.mkdirSync("", { recursive: true }));
  same("mkdtemp to nowhere", (fs, dir) => fs.mkdtempSync(`${dir}/missing/x-`));
  same("readdir of a file", (fs, dir) => fs.readdirSync(`${dir}/file`));
  same("opendir of a file", (fs, dir) => fs.opendirSync(`${dir}/file`));
  same("opendir of nothing", (fs, dir) => fs.opendirSync(`${dir}/missing`));
  same("readFile of a directory", (fs, dir) => fs.readFileSync(`${dir}/dir`));
  same("writeFile over a directory", (fs, dir) => fs.writeFileSync(`${dir}/dir`, "x"));
  same("rmdir of a file", (fs, dir) => fs.rmdirSync(`${dir}/file`));
  same("rmdir of a full directory", (fs, dir) => fs.rmdirSync(`${dir}/dir`));
  same("unlink of a directory", (fs, dir) => fs.unlinkSync(`${dir}/dir`));
  same("truncate of a directory", (fs, dir) => fs.truncateSync(`${dir}/dir`));
});

describe("open flags", () => {
  same("wx over a file", (fs, dir) => fs.openSync(`${dir}/file`, "wx"));
  same("w over a directory", (fs, dir) => fs.openSync(`${dir}/dir`, "w"));
  same("O_DIRECTORY of a file", (fs, dir) => fs.openSync(`${dir}/file`, fs.constants.O_DIRECTORY));
  same("creating in no directory", (fs, dir) => fs.openSync(`${dir}/missing/x`, "w"));
  same("a slash behind a file", (fs, dir) => fs.openSync(`${dir}/file/`, "r"));
});

describe("bad descriptors", () => {
  const calls: Readonly<Record<string, (fs: FsCalls, fd: number) => unknown>> = {
    close: (fs, fd) => fs.closeSync(fd),
    fchmod: (fs, fd) => fs.fchmodSync(fd, 0o600),
    fchown: (fs, fd) => fs.fchownSync(fd, 1, 1),
    fdatasync: (fs, fd) => fs.fdatasyncSync(fd),
    fstat: (fs, fd) => fs.fstatSync(fd),
    fsync: (fs, fd) => fs.fsyncSync(fd),
    ftruncate: (fs, fd) => fs.ftruncateSync(fd, 1),
    futimes: (fs, fd) => fs.futimesSync(fd, 1, 1),
    read: (fs, fd) => fs.readSync(fd, Buffer.alloc(1)),
    write: (fs, fd) => fs.writeSync(fd, "x"),
    "write of a buffer": (fs, fd) => fs.writeSync(fd, Buffer.from("x")),
    writeFile: (fs, fd) => fs.writeFileSync(fd, "x"),
  };
  for (const [name, call] of Object.entries(calls)) {
    same(`${name}: never opened`, (fs) => call(fs, BAD_FD));
    same(`${name}: closed`, (fs, dir) => {
      const fd = fs.openSync(`${dir}/file`);
      fs.closeSync(fd);
      call(fs, fd);
    });
  }
  same("read of a descriptor open for writing", (fs, dir) => {
    const fd = fs.openSync(`${dir}/file`, "w");
    try {
      fs.readSync(fd, Buffer.alloc(1));
    } finally {
      fs.closeSync(fd);
    }
  });
  same("write to a descriptor open for reading", (fs, dir) => {
    const fd = fs.openSync(`${dir}/file`);
    try {
      fs.writeSync(fd, "x");
    } finally {
      fs.closeSync(fd);
    }
  });
  same("ftruncate of a descriptor open for reading", (fs, dir) => {
    const fd = fs.openSync(`${dir}/file`);
    try {
      fs.ftruncateSync(fd, 1);
    } finally {
      fs.closeSync(fd);
    }
  });
});

/** What an error of several calls says of the path. */
function pathsOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    const { path, info } = error as { path?: unknown; info?: { path?: unknown } };
    return [path, typeof info?.path, info?.path instanceof Uint8Array, `${info?.path}`, (error as Error).message];
  }
}

describe("errors have the path as it was given", () => {
  const bytes = (text: string) => Buffer.from(text, "latin1");
  const forms: Readonly<Record<string, (path: string) => PathLike>> = {
    "a string": (path) => path,
    "a Buffer": bytes,
    "a URL": (path) => new URL(`file://${path}`),
  };
  for (const [form, of] of Object.entries(forms)) {
    same(`rm of a directory by ${form}`, (fs, dir) => pathsOf(() => fs.rmSync(of(`${dir}/dir`))));
    same(`cp over a file by ${form}`, (fs, dir) => {
      const options = { errorOnExist: true, force: false };
      return pathsOf(() => fs.cpSync(of(`${dir}/file`) as string, of(`${dir}/file2`) as string, options));
    });
    same(`cp over an existing file by ${form}`, (fs, dir) => {
      fs.writeFileSync(`${dir}/y`, "");
      const options = { errorOnExist: true, force: false };
      return pathsOf(() => fs.cpSync(of(`${dir}/file`) as string, of(`${dir}/y`) as string, options));
    });
  }
  same("rm of a directory whose name is no UTF-8", (fs, dir) => {
    fs.mkdirSync(bytes(`${dir}/\xff`));
    return pathsOf(() => fs.rmSync(bytes(`${dir}/\xff`)));
  });
  same("a URL with an encoded slash", (fs) => {
    try {
      return fs.statSync(new URL("file:///a%2Fb"));
    } catch (error) {
      return `${(error as { input?: unknown }).input}`;
    }
  });
  const memory = { ArrayBuffer: () => new ArrayBuffer(3), SharedArrayBuffer: () => new SharedArrayBuffer(3) };
  for (const [name, make] of Object.entries({ ...memory, DataView: () => new DataView(new ArrayBuffer(2), 1) })) {
    same(`${name} where a word must be`, (fs, dir) => fs.symlinkSync("x", `${dir}/y`, make() as unknown as "dir"));
  }
  same("a DataView that is empty", (fs, dir) => {
    const fd = fs.openSync(`${dir}/file`);
    try {
      fs.readSync(fd, new DataView(new ArrayBuffer(2), 1, 0));
    } finally {
      fs.closeSync(fd);
    }
  });
  same("readFile in 'buffer', which is no encoding of texts", (fs, dir) =>
    fs.readFileSync(`${dir}/file`, "buffer" as "hex"),
  );
  same("readFile in 'buffer' of an empty file", (fs, dir) => {
    fs.truncateSync(`${dir}/file`);
    return fs.readFileSync(`${dir}/file`, "buffer" as "hex");
  });
  same("a descriptor that is half a character", (fs) => fs.fstatSync("\ud800" as unknown as number));
});

describe("cp: a copy over a file, by the mode", () => {
  for (const mode of [0, 1, 2]) {
    for (const to of ["y/", "missing/y/", "dir/", "file2"]) {
      same(`to ${to} with mode ${mode}`, (fs, dir) => {
        fs.writeFileSync(`${dir}/file2`, "");
        fs.cpSync(`${dir}/file`, `${dir}/${to}`, { mode });
      });
    }
  }
  same("the root, not recursive", (fs, dir) => fs.cpSync("//", `${dir}/y`));
  same("the root by dots, not recursive", (fs, dir) => fs.cpSync("/.", `${dir}/y`));
  same("a directory above by dots, not recursive", (fs, dir) => fs.cpSync(`${dir}/dir/sub/..`, `${dir}/dir/sub/y`));
  const above = {
    "l d/e/g/new": "l",
    "l d/e/new": "l",
    "l d/new": "l",
    "d l/e/g/new": "d",
    "d l/new": "d",
    "d/e le/new": "d/e",
  };
  for (const [pair, from] of Object.entries(above)) {
    const to = pair.slice(from.length + 1);
    for (const options of from === "l" ? [{}, { recursive: true }] : [{}]) {
      same(
        `cp of a directory, or a link to one, to below itself through links: ${pair} ${JSON.stringify(options)}`,
        (fs, dir) => {
          fs.mkdirSync(`${dir}/d/e/g`, { recursive: true });
          fs.symlinkSync("d", `${dir}/l`);
          fs.symlinkSync("d/e", `${dir}/le`);
          fs.cpSync(`${dir}/${from}`, `${dir}/${to}`, options);
          return fs.readlinkSync(`${dir}/${to}`);
        },
      );
    }
  }
});

describe("rm and cp", () => {
  same("rm of nothing", (fs, dir) => fs.rmSync(`${dir}/missing`));
  same("rm --force of nothing", (fs, dir) => fs.rmSync(`${dir}/missing`, { force: true }));
  same("rm of a directory", (fs, dir) => fs.rmSync(`${dir}/dir`));
  same("cp of nothing", (fs, dir) => fs.cpSync(`${dir}/missing`, `${dir}/y`));
  sameCode("cp of a directory that is not recursive", (fs, dir) => fs.cpSync(`${dir}/dir`, `${dir}/y`));
  sameCode("cp onto itself", (fs, dir) => fs.cpSync(`${dir}/file`, `${dir}/file`));
  sameCode("cp into itself", (fs, dir) => fs.cpSync(`${dir}/dir`, `${dir}/dir/sub/y`, { recursive: true }));
  sameCode("cp of a directory over a file", (fs, dir) => fs.cpSync(`${dir}/dir`, `${dir}/file`, { recursive: true }));
  sameCode("cp of a file over a directory", (fs, dir) => fs.cpSync(`${dir}/file`, `${dir}/dir`, { recursive: true }));
  same("cp with errorOnExist", (fs, dir) => {
    fs.writeFileSync(`${dir}/y`, "");
    fs.cpSync(`${dir}/file`, `${dir}/y`, { errorOnExist: true, force: false });
  });
});
