/**
 * Code of the same realm may have put options on Object.prototype: a call with a callback or a promise that is made with defaults does
 * what that of node:fs does then, and the same when they stay there until it has ended.
 */
import assert from "node:assert/strict";
import type { Dir } from "node:fs";
import { describe, test } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { type Outcome, outcomeOf } from "../../../support/oracle/works.js";
import { suite } from "../both.js";
import { compared } from "./places.js";
import { OPTIONS, prepareTree, treeState } from "./polluted.js";

const both = suite(import.meta.url, () => {});
const { sameEach } = both;

type Call = (...given: readonly unknown[]) => Promise<unknown>;
type Calls = Readonly<Record<string, Call>>;

/** Calls with defaults, by the form that they have: each takes the calls of the form, the directory, and a descriptor or a FileHandle. */
type Tried = (calls: Calls, dir: string, fd: unknown) => Promise<unknown>;

const onPath =
  (name: string, path: string, ...rest: readonly unknown[]): Tried =>
  (calls, dir) =>
    (calls[name] as Call)(`${dir}/${path}`, ...rest);

const onTwo =
  (name: string, from: string, to: string, ...rest: readonly unknown[]): Tried =>
  (calls, dir) =>
    (calls[name] as Call)(`${dir}/${from}`, `${dir}/${to}`, ...rest);

/** A call whose result is closed. */
const opening =
  (name: string, path: string): Tried =>
  async (calls, dir) => {
    const opened = [await (calls[name] as Call)(`${dir}/${path}`)].flat()[0];
    await (typeof opened === "number" ? (calls.close as Call)(opened) : (opened as Dir).close());
    return typeof opened;
  };

/** Calls on paths, in both forms. */
const ON_PATHS: Readonly<Record<string, Tried>> = {
  access: onPath("access", "missing"),
  appendFile: onPath("appendFile", "f", "more"),
  "appendFile {}": onPath("appendFile", "f", "more", {}),
  "appendFile utf8": onPath("appendFile", "f", "more", "utf8"),
  copyFile: onTwo("copyFile", "f", "new"),
  cp: onTwo("cp", "f", "new"),
  "cp {}": onTwo("cp", "f", "new", {}),
  "cp of a tree": onTwo("cp", "d", "new", { recursive: true }),
  lstat: onPath("lstat", "l"),
  "lstat {}": onPath("lstat", "missing", {}),
  mkdir: onPath("mkdir", "new/below"),
  "mkdir {}": onPath("mkdir", "new/below", {}),
  mkdtemp: onPath("mkdtemp", "new"),
  open: opening("open", "f"),
  opendir: opening("opendir", "d"),
  readdir: onPath("readdir", "."),
  "readdir {}": onPath("readdir", ".", {}),
  "readdir utf8": onPath("readdir", ".", "utf8"),
  "readdir recursive": onPath("readdir", ".", { recursive: true }),
  readFile: onPath("readFile", "f"),
  "readFile {}": onPath("readFile", "f", {}),
  "readFile latin1": onPath("readFile", "f", "latin1"),
  readlink: onPath("readlink", "l"),
  "readlink {}": onPath("readlink", "l", {}),
  realpath: onPath("realpath", "l"),
  rm: onPath("rm", "d"),
  "rm {}": onPath("rm", "d", {}),
  "rm of nothing": onPath("rm", "missing"),
  "rm of a tree": onPath("rm", "d", { recursive: true }),
  rmdir: onPath("rmdir", "e"),
  "rmdir {}": onPath("rmdir", "d", {}),
  stat: onPath("stat", "f"),
  "stat {}": onPath("stat", "missing", {}),
  statfs: onPath("statfs", "missing"),
  symlink: (calls, dir) => (calls.symlink as Call)("x", `${dir}/new`),
  truncate: onPath("truncate", "f"),
  writeFile: onPath("writeFile", "new", "x"),
  "writeFile {}": onPath("writeFile", "new", "x", {}),
  "writeFile of bytes": onPath("writeFile", "f", Buffer.from("x")),
};

const bytes = () => Buffer.alloc(8, ".");

/** Calls on a descriptor. */
const ON_DESCRIPTORS: Readonly<Record<string, Tried>> = {
  fstat: (calls, _dir, fd) => (calls.fstat as Call)(fd),
  "fstat {}": (calls, _dir, fd) => (calls.fstat as Call)(fd, {}),
  read: (calls, _dir, fd) => (calls.read as Call)(fd, bytes()),
  "read {}": (calls, _dir, fd) => (calls.read as Call)(fd, bytes(), {}),
  "read without a buffer": (calls, _dir, fd) => (calls.read as Call)(fd),
  readv: (calls, _dir, fd) => (calls.readv as Call)(fd, [bytes()]),
  write: (calls, _dir, fd) => (calls.write as Call)(fd, Buffer.from("xyz")),
  "write {}": (calls, _dir, fd) => (calls.write as Call)(fd, Buffer.from("xyz"), {}),
  writev: (calls, _dir, fd) => (calls.writev as Call)(fd, [Buffer.from("xyz")]),
  "readFile of a descriptor": (calls, _dir, fd) => (calls.readFile as Call)(fd),
  "writeFile of a descriptor": (calls, _dir, fd) => (calls.writeFile as Call)(fd, "x"),
};

/** Methods of a FileHandle. */
const ON_HANDLES: Readonly<Record<string, Tried>> = {
  appendFile: (handle) => (handle.appendFile as Call)("more"),
  "appendFile {}": (handle) => (handle.appendFile as Call)("more", {}),
  read: (handle) => (handle.read as Call)(),
  "read {}": (handle) => (handle.read as Call)({}),
  "read of a buffer": (handle) => (handle.read as Call)(bytes()),
  "read of a buffer, {}": (handle) => (handle.read as Call)(bytes(), {}),
  readFile: (handle) => (handle.readFile as Call)(),
  "readFile {}": (handle) => (handle.readFile as Call)({}),
  readv: (handle) => (handle.readv as Call)([bytes()]),
  stat: (handle) => (handle.stat as Call)(),
  "stat {}": (handle) => (handle.stat as Call)({}),
  truncate: (handle) => (handle.truncate as Call)(),
  write: (handle) => (handle.write as Call)(Buffer.from("xyz")),
  "write {}": (handle) => (handle.write as Call)(Buffer.from("xyz"), {}),
  "write of text": (handle) => (handle.write as Call)("xyz"),
  writeFile: (handle) => (handle.writeFile as Call)("x"),
  "writeFile {}": (handle) => (handle.writeFile as Call)("x", {}),
  writev: (handle) => (handle.writev as Call)([Buffer.from("xyz")]),
};

/** Each call with a callback as one that returns a promise of all that the callback is given. */
function withCallbacks(fs: FsCalls): Calls {
  const calls = fs as unknown as Readonly<Record<string, (...given: readonly unknown[]) => void>>;
  return new Proxy(calls, {
    get:
      (_, name: string) =>
      (...given: readonly unknown[]) =>
        new Promise((resolve, reject) => {
          calls[name]?.(...given, (error: unknown, ...results: readonly unknown[]) =>
            error === null || error === undefined ? resolve(results) : reject(error),
          );
        }),
  }) as unknown as Calls;
}

const promisesOf = (fs: FsCalls) => (fs as unknown as { promises: Calls }).promises;

/** What differs from run to run is left out. */
function shown(value: unknown): unknown {
  return JSON.stringify(value, (key, member) =>
    /^(?:dev|ino|blocks|blksize|.*time.*|_\w+|bsize|.*Ms|.*Ns|[a-z]?files|bfree|bavail|ffree)$/.test(key) ||
    typeof member === "bigint"
      ? typeof member
      : typeof member === "string"
        ? member.replace(/(?<=new).{6}$/, "*")
        : member,
  );
}

async function tryIn(
  fs: FsCalls,
  dir: string,
  calls: Calls,
  tried: Tried,
  key: string,
  long: boolean,
): Promise<unknown> {
  const fd = prepareTree(fs, dir);
  const handle = (await promisesOf(fs).open?.(`${dir}/f`, "r+")) as { fd: number; close: () => Promise<void> };
  const on = calls === HANDLE ? (handle as unknown as Calls) : calls;
  Object.defineProperty(Object.prototype, key, {
    value: OPTIONS[key],
    enumerable: true,
    configurable: true,
    writable: true,
  });
  let done: Outcome;
  try {
    const settled = outcomeOf(async () => shown(await tried(on, dir, fd)));
    if (!long) Reflect.deleteProperty(Object.prototype, key);
    done = await settled;
  } finally {
    Reflect.deleteProperty(Object.prototype, key);
  }
  await handle.close();
  fs.closeSync(fd);
  return [compared(done), treeState(fs, dir)];
}

/** Stands for the handle that each try opens. */
const HANDLE: Calls = {};

interface Tries {
  readonly calls: (fs: FsCalls) => Calls;
  readonly all: Readonly<Record<string, Tried>>;
}

const FORMS = {
  "a callback": { calls: withCallbacks, all: { ...ON_PATHS, ...ON_DESCRIPTORS } },
  "a promise": { calls: promisesOf, all: ON_PATHS },
  "a FileHandle": { calls: () => HANDLE, all: ON_HANDLES },
} as const satisfies Readonly<Record<string, Tries>>;
type Form = keyof typeof FORMS;

/**
 * Where Node 26 is not followed: it gives the options of an inner call a signal (cp, and the writes of promises, whose error is an
 * internal one), looks at options in a later turn (opendir, readFile of promises), or returns names and types unpaired (readdir).
 */
const NOT_FOLLOWED =
  /^a callback: (?:cp.* signal|opendir signal)$|^a promise: (?:(?:cp|writeFile).* signal|opendir signal|readFile.* encoding|readdir withFileTypes)$|^a FileHandle: (?:append|write)File signal$/;

/** A call with each option on the prototype in turn. */
async function tryAll(fs: FsCalls, dir: string, form: Form, name: string, long: boolean): Promise<object> {
  const outcomes: Record<string, unknown> = {};
  const { calls, all }: Tries = FORMS[form];
  for (const key of Object.keys(OPTIONS)) {
    const tried = all[name] as Tried;
    const done = await tryIn(fs, `${dir}/${key}`, calls(fs), tried, key, long);
    if (!NOT_FOLLOWED.test(`${form}: ${name} ${key}`)) outcomes[key] = done;
  }
  return outcomes;
}

for (const form of Object.keys(FORMS) as Form[]) {
  const names = Object.keys(FORMS[form].all);
  describe(`options on Object.prototype count as in node:fs in calls with ${form}`, () => {
    for (const name of names) sameEach(name, (fs, dir) => tryAll(fs, dir, form, name, false));
  });

  // Node's calls look at some of them later: its opendir ends the process.
  describe(`options on Object.prototype count in the turn of the call alone, with ${form}`, () => {
    for (const name of names) {
      test(name, async () => {
        const fs: FsCalls = both.vfs.fs;
        const [short, long] = [`/short/${form}/${name}`, `/long/${form}/${name}`];
        const wanted = JSON.stringify(await tryAll(fs, short, form, name, false));
        const got = JSON.stringify(await tryAll(fs, long, form, name, true));
        assert.deepEqual(JSON.parse(got.replaceAll("/long", "/short")), JSON.parse(wanted));
      });
    }
  });
}
