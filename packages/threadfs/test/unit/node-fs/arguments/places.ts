/**
 * What the calls of every form are tried with: the arguments of each, wrong values for every place of them, one at a time and two, and
 * what a call may have changed.
 */
import type { Dir, Stats } from "node:fs";
import type { FsCalls } from "../../../support/fs-calls.js";
import type { Outcome } from "../../../support/oracle/works.js";
import { ANY, FEW, MEMBERS, OPTIONS, type Values } from "./values.js";

/** What a place of a call's arguments is: a right value, and the members of its options object. */
export interface Place {
  readonly right: (dir: string, fd: number) => unknown;
  readonly values?: Values;
  readonly options?: readonly string[];
}

export const FILE: Place = { right: (dir) => `${dir}/f` };
export const NEW: Place = { right: (dir) => `${dir}/new` };
export const FOLDER: Place = { right: (dir) => `${dir}/d` };
export const LINK: Place = { right: (dir) => `${dir}/l` };
export const FD: Place = { right: (_dir, fd) => fd };
export const NUMBER: Place = { right: () => 1 };
export const MODE: Place = { right: () => 0o600, values: { ...ANY, '"7"': () => "7", '"9"': () => "9" } };
export const VIEW: Place = { right: () => Buffer.alloc(8, ".") };
export const DATA: Place = { right: () => "data" };
export const VIEWS: Place = {
  right: () => [Buffer.alloc(2, "."), new Uint16Array(1)],
  values: { ...ANY, "[5]": () => [5], "[a view, null]": () => [Buffer.alloc(1), null] },
};
export const optional = (...options: string[]): Place => ({ right: () => undefined, values: OPTIONS, options });

/** A call, or one of its forms, by the name that it has without "Sync", and its arguments. */
export type Row = readonly [title: string, name: string, places: readonly Place[]];

const row = (name: string, ...places: readonly Place[]): Row => [name, name, places];

const FILE_OPTIONS = optional("encoding", "mode", "flag", "flush", "signal");

/** Calls on paths, which there are in all three forms. */
export const ON_PATHS: readonly Row[] = [
  row("access", FILE, { right: () => 4 }),
  row("appendFile", FILE, DATA, FILE_OPTIONS),
  row("chmod", FILE, MODE),
  row("chown", FILE, NUMBER, NUMBER),
  row("copyFile", FILE, NEW, { right: () => 0 }),
  row("lchown", LINK, NUMBER, NUMBER),
  row("link", FILE, NEW),
  row("lstat", LINK, optional("bigint", "throwIfNoEntry", "signal")),
  row("lutimes", LINK, NUMBER, NUMBER),
  row("mkdir", NEW, { ...optional("recursive", "mode"), values: { ...OPTIONS, '"7"': () => "7" } }),
  row("mkdtemp", NEW, optional("encoding", "signal")),
  row("open", FILE, { right: () => "r" }, MODE),
  row("opendir", FOLDER, optional("encoding", "bufferSize", "recursive", "signal")),
  row("readdir", FOLDER, optional("encoding", "withFileTypes", "recursive", "signal")),
  row("readFile", FILE, optional("encoding", "flag", "signal")),
  row("readlink", LINK, optional("encoding", "signal")),
  row("realpath", FILE, optional("encoding", "signal")),
  row("rename", FILE, NEW),
  row("rm", FILE, optional("recursive", "force", "maxRetries", "retryDelay")),
  row("rmdir", { right: (dir) => `${dir}/e` }, optional("recursive", "maxRetries", "retryDelay")),
  row("stat", FILE, optional("bigint", "throwIfNoEntry", "signal")),
  row("statfs", FILE, optional("bigint")),
  row("symlink", { right: () => "target" }, NEW, { right: () => "dir", values: OPTIONS }),
  row("truncate", FILE, NUMBER),
  row("unlink", FILE),
  row("utimes", FILE, NUMBER, NUMBER),
  row("writeFile", FILE, DATA, FILE_OPTIONS),
  row(
    "cp",
    FILE,
    NEW,
    optional(
      "dereference",
      "errorOnExist",
      "filter",
      "force",
      "mode",
      "preserveTimestamps",
      "recursive",
      "verbatimSymlinks",
    ),
  ),
  ["readFile as text", "readFile", [FILE, { right: () => "utf8", values: OPTIONS, options: ["flag"] }]],
];

/** Calls on descriptors, which have no promise forms but as methods of a FileHandle. Some have several forms. */
export const ON_DESCRIPTORS: readonly Row[] = [
  row("close", FD),
  row("fchmod", FD, MODE),
  row("fchown", FD, NUMBER, NUMBER),
  row("fdatasync", FD),
  row("fstat", FD, optional("bigint", "signal")),
  row("fsync", FD),
  row("ftruncate", FD, NUMBER),
  row("futimes", FD, NUMBER, NUMBER),
  row("read", FD, VIEW, { right: () => 0, options: ["offset", "length", "position"] }, NUMBER, { right: () => 0 }),
  row("readv", FD, VIEWS, { right: () => 0 }),
  row("writev", FD, VIEWS, { right: () => 0 }),
  ["read with options", "read", [FD, VIEW, optional("offset", "length", "position")]],
  [
    "write of bytes",
    "write",
    [FD, VIEW, { right: () => 1, options: ["offset", "length", "position"] }, NUMBER, { right: () => 0 }],
  ],
  ["write of text", "write", [FD, DATA, { right: () => 1 }, { right: () => "utf8", values: OPTIONS }]],
  ["fstat of a closed descriptor", "fstat", [{ right: () => 1e6 }, optional("bigint")]],
  ["readFile of a descriptor", "readFile", [FD, optional("encoding", "flag", "signal")]],
  ["writeFile of a descriptor", "writeFile", [FD, VIEW, optional("encoding", "mode", "flag", "flush")]],
];

/** What a call returned, without what differs from run to run. */
export function shown(fs: FsCalls, name: string, value: unknown): unknown {
  if (name === "open") return fs.closeSync(value as number);
  if (name === "opendir") return (value as Dir).closeSync();
  if (name === "mkdtemp") return { kind: typeof value, length: (value as string).length };
  if (name === "stat" || name === "lstat" || name === "fstat") {
    return value === undefined ? value : { size: (value as Stats).size, mode: (value as Stats).mode };
  }
  // Sizes of file systems differ.
  if (name === "statfs") return typeof (value as { bsize: unknown }).bsize;
  if (name === "readdir") return JSON.stringify(value, ["name", "parentPath"]);
  return value;
}

/** What a call can have changed. */
export function state(fs: FsCalls, dir: string): unknown {
  const names = fs.readdirSync(dir, { recursive: true, encoding: "utf8" });
  const kept = names.map((name) => name.replace(/^new.{6}$/, "new*")).sort();
  const { mode, uid, gid, mtimeMs } = fs.lstatSync(fs.existsSync(`${dir}/f`) ? `${dir}/f` : dir);
  const size = fs.statSync(`${dir}/f`, { throwIfNoEntry: false })?.size ?? 0;
  const contents = size > 0 && size < 100 ? fs.readFileSync(`${dir}/f`, "latin1") : size;
  return [kept.join(" "), contents, mode, uid, gid, mtimeMs < 1e12 ? mtimeMs : "now"];
}

/** Makes what the calls are tried on. Returns a descriptor. */
export function prepare(fs: FsCalls, dir: string): number {
  fs.mkdirSync(`${dir}/d/sub`, { recursive: true });
  fs.mkdirSync(`${dir}/e`);
  fs.writeFileSync(`${dir}/f`, "contents");
  fs.writeFileSync(`${dir}/d/file`, "");
  fs.symlinkSync("f", `${dir}/l`);
  return fs.openSync(`${dir}/f`, "r+");
}

/** Closes the descriptor, if the call has not done so. */
export function closeAgain(fs: FsCalls, fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {
    // The call itself has closed it.
  }
}

/** An outcome as it is compared: errors without a code are the engine's own, and each engine words them differently. */
export function compared(done: Outcome): unknown {
  return done.thrown === undefined ? done : done.thrown.split(":")[0];
}

/** Arguments of a call, and what is wrong with them. */
export type Attempt = readonly [title: string, make: (dir: string, fd: number) => unknown[]];

/** Every wrong value in every place, and every wrong member of options. */
export function single(places: readonly Place[]): Attempt[] {
  const attempts: Attempt[] = [];
  for (const [at, { values = ANY, options = [] }] of places.entries()) {
    const tried = (title: string, value: () => unknown) =>
      attempts.push([title, (dir, fd) => places.map(({ right }, i) => (i === at ? value() : right(dir, fd)))]);
    for (const [title, value] of Object.entries(values)) tried(`${at}: ${title}`, value);
    for (const key of options) {
      for (const [title, value] of Object.entries(MEMBERS)) tried(`{ ${key}: ${title} }`, () => ({ [key]: value() }));
    }
  }
  for (let count = 0; count < places.length; count++) {
    attempts.push([`${count} arguments`, (dir, fd) => places.slice(0, count).map(({ right }) => right(dir, fd))]);
  }
  return attempts;
}

/** Two wrong values at once: which of them is looked at first. */
export function pairs(places: readonly Place[]): Attempt[] {
  const attempts: Attempt[] = [];
  for (let i = 0; i < places.length; i++) {
    for (let j = i + 1; j < places.length; j++) {
      const keys = places[j]?.options ?? [];
      const seconds = [
        ...Object.entries(FEW),
        ...keys.map((key) => [`{ ${key}: Symbol }`, () => ({ [key]: Symbol("x") })] as const),
        ...keys.flatMap((a) =>
          keys.map((b) => [`{ ${a}, ${b}: Symbol }`, () => ({ [a]: Symbol("a"), [b]: Symbol("b") })] as const),
        ),
      ];
      for (const [a, first] of Object.entries(FEW)) {
        for (const [b, second] of seconds) {
          attempts.push([
            `${i}: ${a}, ${j}: ${b}`,
            (dir, fd) => places.map(({ right }, k) => (k === i ? first() : k === j ? second() : right(dir, fd))),
          ]);
        }
      }
    }
  }
  return attempts;
}

/** Node 26 itself dies of modes beyond 31 bits, by an assertion in its C++, and counts retries beyond 31 bits as negative. */
const FAULTS_OF_NODE =
  /^(?:open 2|f?chmod 1|mkdir 1): 2 \*\* 31$|^(?:append|write|mkdir)\w* \{ mode: 2 \*\* 31 \}$|^rm \{ maxRetries: 2 \*\* 31 \}$/;

/** Not about arguments: a path too long, which Node's realpath walks part by part. */
const OTHER_QUESTIONS = /^realpath 0: a path too long$/;

/** The attempts that both sides can be held to. */
export function fair(name: string, all: readonly Attempt[]): readonly Attempt[] {
  return all.filter(([title]) => !FAULTS_OF_NODE.test(`${name} ${title}`) && !OTHER_QUESTIONS.test(`${name} ${title}`));
}

/** As {@link fair} for the asynchronous forms: their cp takes no bytes in Node, and their mkdtemp shows what it did not make. */
export function fairLater(name: string, all: readonly Attempt[]): readonly Attempt[] {
  const other = /^mkdtemp\w* 0: a path too long$|^cp [01]: (?:an empty Buffer|a shared Uint8Array)$/;
  return fair(name, all).filter(([title]) => !other.test(`${name} ${title}`));
}
