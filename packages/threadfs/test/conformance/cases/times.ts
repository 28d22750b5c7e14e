/** Which times a call changes: of the file, of the directories it concerns and of its links. */
import { Buffer } from "node:buffer";
import type { Case, Step, Tools } from "../support/case.js";
import { SELF } from "../support/targets.js";

/** Longer than any tick of the kernel's coarse clock. */
const TICK_MS = 12;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

const WATCHED = ["f", "h", "g", "d", "d/f", "e", "empty", "lf", ""];

function fixture(t: Tools): void {
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
  // The kernel updates access times rarely (relatime): with atime after mtime a read leaves atime for a day.
  for (const name of WATCHED) t.fs.lutimesSync(t.p(name), new Date(), 1000);
}

interface Times {
  mtimeMs: number;
  ctimeMs: number;
  birthtimeMs: number;
  ino: number;
}

/** The times of all watched names, undefined where a name is gone. */
function look(t: Tools): (Times | undefined)[] {
  return WATCHED.map((name) => {
    try {
      const { mtimeMs, ctimeMs, birthtimeMs, ino } = t.fs.lstatSync(t.p(name));
      return { mtimeMs, ctimeMs, birthtimeMs, ino };
    } catch {
      return undefined;
    }
  });
}

/** By inode, since names move: "m" and "c" for changed times, "b" would be a changed time of birth. */
function changes(before: readonly (Times | undefined)[], after: readonly (Times | undefined)[]): string[] {
  const now = new Map(after.flatMap((times) => (times ? [[times.ino, times] as const] : [])));
  return WATCHED.map((name, n) => {
    const was = before[n];
    const is = was && now.get(was.ino);
    if (!is) return `${name || "."} gone`;
    const marks = [
      was.mtimeMs === is.mtimeMs ? "" : "m",
      was.ctimeMs === is.ctimeMs ? "" : "c",
      was.birthtimeMs === is.birthtimeMs ? "" : "b",
    ];
    return `${name || "."} ${marks.join("")}`;
  });
}

function withFd<T>(t: Tools, path: string, flags: string, fn: (fd: number) => T): T {
  const fd = t.fs.openSync(t.p(path), flags);
  try {
    return fn(fd);
  } finally {
    t.fs.closeSync(fd);
  }
}

const CALLS: Readonly<Record<string, Step>> = {
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
  "a chown to the same owner": (t) => t.fs.chownSync(t.p("f"), SELF.uid, SELF.gid),
  "a chown of -1:-1": (t) => t.fs.chownSync(t.p("f"), -1, -1),
  "an lchown": (t) => t.fs.lchownSync(t.p("lf"), SELF.uid, SELF.gid),
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

const single: Case[] = Object.entries(CALLS).map(([name, call]) => ({
  name: `times after ${name}`,
  setup: fixture,
  run: (t) => {
    const before = look(t);
    Atomics.wait(sleeper, 0, 0, TICK_MS);
    call(t);
    return changes(before, look(t));
  },
}));

const others: Case[] = [
  {
    name: "the times of a new file lie between those before and after its creation",
    run: (t) => {
      // The kernel's coarse clock may be a tick behind.
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
    name: "utimes leaves size, mode, links and contents unchanged",
    setup: fixture,
    run: (t) => {
      t.fs.utimesSync(t.p("f"), 5, 6);
      return t.fs.statSync(t.p("f"));
    },
  },
];

const cases: readonly Case[] = [...single, ...others];

export default cases;
