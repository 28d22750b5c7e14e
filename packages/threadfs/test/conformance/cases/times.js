/** Which times a call changes: told as "did it change", for the file, the directories it concerns and its links. */
import { Buffer } from "node:buffer";

/** Longer than any tick of the kernel's coarse clock. */
const TICK_MS = 12;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

const WATCHED = ["f", "h", "g", "d", "d/f", "e", "empty", "lf", ""];

function fixture(t) {
  t.tree({
    f: "hello",
    h: { link: "f" },
    g: "g",
    "d/": null,
    "d/f": "inner",
    "e/": null,
    "empty/": null,
    lf: ["f"],
    "d/sub/": null,
  });
  // Access times are kept coarsely by the kernel: with atime after mtime a read leaves it for a day.
  for (const name of WATCHED) t.fs.lutimesSync(t.p(name), new Date(), 1000);
}

function look(t) {
  return WATCHED.map((name) => {
    try {
      const { mtimeMs, ctimeMs, birthtimeMs, ino } = t.fs.lstatSync(t.p(name));
      return { mtimeMs, ctimeMs, birthtimeMs, ino };
    } catch {
      return {};
    }
  });
}

/** By inode where a name has moved: "m" and "c" for changed times, "b" would be a changed birth. */
function changes(before, after) {
  const now = new Map(after.filter((entry) => entry.ino).map((entry) => [entry.ino, entry]));
  return WATCHED.map((name, n) => {
    const [was, is] = [before[n], now.get(before[n].ino)];
    if (!is) return `${name || "."} gone`;
    const marks = [
      was.mtimeMs === is.mtimeMs ? "" : "m",
      was.ctimeMs === is.ctimeMs ? "" : "c",
      was.birthtimeMs === is.birthtimeMs ? "" : "b",
    ];
    return `${name || "."} ${marks.join("")}`;
  });
}

function withFd(t, path, flags, fn) {
  const fd = t.fs.openSync(t.p(path), flags);
  try {
    return fn(fd);
  } finally {
    t.fs.closeSync(fd);
  }
}

const CALLS = {
  "a write": (t) => t.fs.writeFileSync(t.p("f"), "new"),
  "an append": (t) => t.fs.appendFileSync(t.p("f"), "new"),
  "an append of nothing": (t) => t.fs.appendFileSync(t.p("f"), ""),
  "a write of nothing": (t) => withFd(t, "f", "r+", (fd) => t.fs.writeSync(fd, Buffer.alloc(0))),
  "a write in place": (t) => withFd(t, "f", "r+", (fd) => t.fs.writeSync(fd, "x", 1)),
  "an open to write alone": (t) => withFd(t, "f", "r+", () => undefined),
  "an open that truncates": (t) => withFd(t, "f", "w", () => undefined),
  "an open that truncates an empty file": (t) => {
    t.fs.truncateSync(t.p("g"));
    t.fs.utimesSync(t.p("g"), new Date(), 1000);
    withFd(t, "g", "w", () => undefined);
  },
  "a read": (t) => t.fs.readFileSync(t.p("f")),
  "a truncation": (t) => t.fs.truncateSync(t.p("f"), 2),
  "a truncation to a greater size": (t) => t.fs.truncateSync(t.p("f"), 20),
  "a truncation to the same size": (t) => t.fs.truncateSync(t.p("f"), 5),
  "a truncation by descriptor": (t) => withFd(t, "f", "r+", (fd) => t.fs.ftruncateSync(fd, 1)),
  "a truncation by descriptor to the same size": (t) => withFd(t, "f", "r+", (fd) => t.fs.ftruncateSync(fd, 5)),
  "a new file": (t) => t.fs.writeFileSync(t.p("d/new"), "x"),
  "a new directory": (t) => t.fs.mkdirSync(t.p("d/new")),
  "a new symbolic link": (t) => t.fs.symlinkSync("f", t.p("d/new")),
  "a new hard link": (t) => t.fs.linkSync(t.p("f"), t.p("d/new")),
  "an unlink of one of two names": (t) => t.fs.unlinkSync(t.p("h")),
  "an unlink": (t) => t.fs.unlinkSync(t.p("d/f")),
  "an rmdir": (t) => t.fs.rmdirSync(t.p("empty")),
  "a rename in one directory": (t) => t.fs.renameSync(t.p("g"), t.p("new")),
  "a rename into another": (t) => t.fs.renameSync(t.p("d/f"), t.p("e/f")),
  "a rename of a directory": (t) => t.fs.renameSync(t.p("empty"), t.p("e/empty")),
  "a rename over a file": (t) => t.fs.renameSync(t.p("d/f"), t.p("g")),
  "a rename over one of two names": (t) => t.fs.renameSync(t.p("d/f"), t.p("h")),
  "a rename over an empty directory": (t) => t.fs.renameSync(t.p("d"), t.p("e")),
  "a rename between two names of one file": (t) => t.fs.renameSync(t.p("f"), t.p("h")),
  "a rename onto itself": (t) => t.fs.renameSync(t.p("f"), t.p("f")),
  "a chmod": (t) => t.fs.chmodSync(t.p("f"), 0o600),
  "a chmod to the same mode": (t) => t.fs.chmodSync(t.p("f"), 0o644),
  "a chmod through a link": (t) => t.fs.chmodSync(t.p("lf"), 0o600),
  "a chown to the same owner": (t) => t.fs.chownSync(t.p("f"), process.getuid(), process.getgid()),
  "a chown of -1:-1": (t) => t.fs.chownSync(t.p("f"), -1, -1),
  "an lchown": (t) => t.fs.lchownSync(t.p("lf"), process.getuid(), process.getgid()),
  "utimes to what it was": (t) => t.fs.utimesSync(t.p("f"), 1000, 1000),
  "utimes to another time": (t) => t.fs.utimesSync(t.p("f"), 1000, 3000),
  "lutimes of a link": (t) => t.fs.lutimesSync(t.p("lf"), 1000, 3000),
  "a failed mkdir": (t) => t.out(() => t.fs.mkdirSync(t.p("d"))),
  "a failed rename": (t) => t.out(() => t.fs.renameSync(t.p("d"), t.p("d/sub/x"))),
  "a failed unlink": (t) => t.out(() => t.fs.unlinkSync(t.p("d"))),
  "a failed rmdir": (t) => t.out(() => t.fs.rmdirSync(t.p("d"))),
  "stat, access, readlink, readdir": (t) => [
    t.fs.statSync(t.p("f")),
    t.fs.accessSync(t.p("f")),
    t.fs.readlinkSync(t.p("lf")),
    t.fs.readdirSync(t.p("d")).sort(),
  ],
};

const single = Object.entries(CALLS).map(([name, call]) => ({
  name: `times after ${name}`,
  setup: fixture,
  run: (t) => {
    const before = look(t);
    Atomics.wait(sleeper, 0, 0, TICK_MS);
    call(t);
    return changes(before, look(t));
  },
}));

const others = [
  {
    name: "the times of a new file lie between before and after, and are alike",
    run: (t) => {
      // The coarse clock may be a tick behind.
      const before = Date.now() - TICK_MS;
      t.fs.writeFileSync(t.p("f"), "");
      t.fs.mkdirSync(t.p("d"));
      t.fs.symlinkSync("f", t.p("l"));
      const after = Date.now() + 1;
      return ["f", "d", "l"].map((name) => {
        const { atimeMs, mtimeMs, ctimeMs, birthtimeMs } = t.fs.lstatSync(t.p(name));
        return [atimeMs, mtimeMs, ctimeMs, birthtimeMs].map((time) => time >= before && time <= after);
      });
    },
  },
  {
    name: "utimes leaves size, mode, links and contents",
    setup: fixture,
    run: (t) => {
      t.fs.utimesSync(t.p("f"), 5, 6);
      return t.fs.statSync(t.p("f"));
    },
  },
];

export default [...single, ...others];
