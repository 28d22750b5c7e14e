/** Which times a call changes: of the file, of the directories it concerns and of its links. */
import { Buffer } from "node:buffer";
import nodeFs from "node:fs";
import type { Case, Step, Tools } from "../support/case.js";
import { SELF } from "../support/targets.js";

/** Longer than any tick of the kernel's coarse clock. */
const TICK_MS = 12;

const { O_NOATIME } = nodeFs.constants;

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
      // The kernel's coarse clock may be a tick behind. A tree has the clock of `performance`, which stays when the system's is set.
      const clocks = () => [Date.now(), performance.timeOrigin + performance.now()];
      const before = Math.min(...clocks()) - TICK_MS;
      t.fs.writeFileSync(t.p("f"), "");
      t.fs.mkdirSync(t.p("d"));
      t.fs.symlinkSync("f", t.p("l"));
      const after = Math.max(...clocks()) + 1;
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

/** Empties a file, and gives it its old times back. Returns its path. */
function emptied(t: Tools, name: string): string {
  t.fs.truncateSync(t.p(name));
  t.fs.utimesSync(t.p(name), 1000, 2000);
  return t.p(name);
}

/** Calls that use files, and what they might be taken to use. */
const USES: Readonly<Record<string, Step>> = {
  "a read": (t) => t.fs.readFileSync(t.p("f")),
  "a read at the end of the file": (t) => withFd(t, "f", "r", (fd) => t.fs.readSync(fd, Buffer.alloc(1), 0, 1, 5)),
  "a read with O_NOATIME": (t) => {
    const fd = t.fs.openSync(t.p("f"), O_NOATIME);
    t.fs.readFileSync(fd);
    t.fs.closeSync(fd);
  },
  "an open": (t) => withFd(t, "f", "r", () => undefined),
  "a write": (t) => withFd(t, "f", "r+", (fd) => t.fs.writeSync(fd, "x")),
  "a truncation": (t) => t.fs.truncateSync(t.p("f"), 2),
  "a copy": (t) => t.fs.copyFileSync(t.p("f"), t.p("d/copy")),
  "a listing": (t) => t.fs.readdirSync(t.p("d")).length,
  "a listing by Dir": (t) => {
    const dir = t.fs.opendirSync(t.p("d"));
    dir.readSync();
    dir.closeSync();
  },
  "a listing of an empty directory": (t) => t.fs.readdirSync(t.p("empty")),
  "an opened Dir that is not read": (t) => t.fs.opendirSync(t.p("d")).closeSync(),
  "a readlink": (t) => t.fs.readlinkSync(t.p("lf")),
  "a stat through a link": (t) => t.fs.statSync(t.p("lf")),
  "an lstat of a link": (t) => t.fs.lstatSync(t.p("lf")),
  "an access through a link": (t) => t.fs.accessSync(t.p("lf")),
  "a read through a link": (t) => t.fs.readFileSync(t.p("lf")),
  "a walk through a directory": (t) => t.fs.statSync(t.p("d/f")),
  "a copy of an empty file": (t) => t.fs.copyFileSync(emptied(t, "g"), t.p("d/new")),
  "a cp of an empty file over another": (t) => t.fs.cpSync(emptied(t, "g"), t.p("d/f")),
  "a realpath": (t) => t.fs.realpathSync.native(t.p("lf")),
  "a rename": (t) => t.fs.renameSync(t.p("d/f"), t.p("e/f")),
  "a new name": (t) => t.fs.linkSync(t.p("f"), t.p("d/new")),
  "a failed read of a directory": (t) => withFd(t, "d", "r", (fd) => t.out(() => t.fs.readSync(fd, Buffer.alloc(1)))),
};

/** Times of access that are older than the last change, so that relatime updates them. */
const uses: Case[] = Object.entries(USES).map(([name, use]) => ({
  name: `times of access that move with ${name}`,
  setup: (t) => {
    fixture(t);
    for (const path of WATCHED) t.fs.lutimesSync(t.p(path), 1000, 2000);
  },
  run: (t) => {
    use(t);
    return WATCHED.map((path) => {
      const there = t.fs.lstatSync(t.p(path), { throwIfNoEntry: false });
      return [path, there === undefined ? "gone" : there.atimeMs === 1_000_000];
    });
  },
}));

/** Copies whose times are looked at; `from` has old times. */
const COPIES: Readonly<Record<string, (t: Tools, from: string) => void>> = {
  "copyFile to a new file": (t, from) => t.fs.copyFileSync(from, t.p("copy")),
  "copyFile over a file": (t, from) => t.fs.copyFileSync(from, t.p("there")),
  "copyFile with COPYFILE_FICLONE": (t, from) => t.fs.copyFileSync(from, t.p("there"), 2),
  "cp to a new file": (t, from) => t.fs.cpSync(from, t.p("copy")),
  "cp over a file": (t, from) => t.fs.cpSync(from, t.p("there")),
  "cp over a file, with a mode": (t, from) => t.fs.cpSync(from, t.p("there"), { mode: 2 }),
  "cp of a directory": (t) => t.fs.cpSync(t.p("s"), t.p("d"), { recursive: true }),
  "cp of a directory with a filter": (t) => t.fs.cpSync(t.p("s"), t.p("d"), { recursive: true, filter: () => true }),
};

const copies: Case[] = Object.entries(COPIES).flatMap(([name, copy]) =>
  ["", "contents"].map((data) => ({
    name: `times of the copy of ${data === "" ? "an empty file" : "a file"}: ${name}`,
    setup: (t) => {
      t.tree({ "s/": null, "s/f": data, "d/": null, "d/f": "old", there: "old" });
      for (const file of ["s/f", "there", "d/f"]) t.fs.utimesSync(t.p(file), 1234.123456789, 4000.5);
    },
    run: (t) => {
      copy(t, t.p("s/f"));
      return ["copy", "there", "d/f", "s/f"].map((file) => {
        const stats = t.fs.statSync(t.p(file), { bigint: true, throwIfNoEntry: false });
        return stats === undefined ? "none" : [written(stats.atimeNs), written(stats.mtimeNs)];
      });
    },
  })),
);

const TIMES: readonly [name: string, time: unknown][] = [
  ...[0, 1, 1.5, 0.1, 1.000000001, 123456789.98765, 1795890885.001, 2 ** 31, 2 ** 33, 2 ** 34, 2 ** 44 + 0.5, 1e12],
  ...[
    8.64e12,
    2 ** 53,
    2 ** 62,
    2 ** 63 - 1024,
    2 ** 63,
    1e20,
    1e300,
    -1,
    -1e20,
    "1e12",
    "1e20",
    "-1.5",
    "-0.1",
    "-1e12",
  ],
  ...["-9223372036854775808", "-1e20", "Infinity", "-Infinity", "0.1", "7"],
].map((time) => [`${typeof time} ${time}`, time] as [string, unknown]);
const DATES = [0, 1, -1, 999, 1795890885001, 8.64e15, -8.64e15, Number.NaN];
const ALL_TIMES = [...TIMES, ...DATES.map((ms) => [`Date ${ms}`, new Date(ms)] as [string, unknown])];

/** The time in nanoseconds; "now" near the present, which no case sets. */
function written(nanoseconds: bigint): string {
  const apart = Number(nanoseconds / 1_000_000n) - Date.now();
  return Math.abs(apart) < 3_600_000 ? "now" : String(nanoseconds);
}

const CALLS_THAT_SET: Readonly<Record<string, (t: Tools, atime: unknown, mtime: unknown) => void>> = {
  utimes: (t, atime, mtime) => t.unchecked.utimesSync(t.p("f"), atime, mtime),
  lutimes: (t, atime, mtime) => t.unchecked.lutimesSync(t.p("lf"), atime, mtime),
  futimes: (t, atime, mtime) => withFd(t, "d", "r", (fd) => t.unchecked.futimesSync(fd, atime, mtime)),
  "utimes, then a change to now,": (t, atime, mtime) => {
    t.unchecked.utimesSync(t.p("g"), atime, mtime);
    t.fs.writeFileSync(t.p("g"), "now");
  },
};

const values: Case[] = Object.entries(CALLS_THAT_SET).flatMap(([call, set]) =>
  ALL_TIMES.flatMap(([name, time]) =>
    (["both", "atime", "mtime"] as const).map((which) => ({
      name: `${call} with ${which} ${name}`,
      setup: fixture,
      run: (t: Tools) => {
        const outcome = t.out(() => set(t, which === "mtime" ? 5 : time, which === "atime" ? 5 : time));
        const stats = ["f", "lf", "d", "g"].map((path) => t.fs.lstatSync(t.p(path), { bigint: true }));
        return [outcome, stats.map(({ atimeNs, mtimeNs }) => [written(atimeNs), written(mtimeNs)])];
      },
    })),
  ),
);

const precision: Case = {
  name: "times of a Date read back to the millisecond",
  setup: fixture,
  run: (t) => {
    const wrong: number[] = [];
    for (let ms = 1795890885000; ms < 1795890886000; ms++) {
      t.fs.utimesSync(t.p("f"), new Date(ms), new Date(ms));
      const { mtime, mtimeMs, atimeMs } = t.fs.statSync(t.p("f"));
      if (mtime.getTime() !== ms || Math.floor(mtimeMs) !== ms || atimeMs !== mtimeMs) wrong.push(mtimeMs);
    }
    return wrong;
  },
};

const cases: readonly Case[] = [...single, ...others, ...uses, ...values, precision, ...copies];

export default cases;
