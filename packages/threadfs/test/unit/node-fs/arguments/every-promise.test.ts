/**
 * Every call with a promise, and every method of a FileHandle, with wrong arguments of every sort in every place, one place at a time
 * and two: it throws at once where that of node:fs does, and is settled as that of node:fs is.
 */
import { describe } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { suite, type Work } from "../both.js";
import { settled } from "./called-back.js";
import {
  type Attempt,
  closeAgain,
  DATA,
  FILE,
  fairLater,
  MODE,
  NEW,
  NUMBER,
  ON_PATHS,
  optional,
  pairs,
  prepare,
  type Row,
  shown,
  single,
  state,
  VIEW,
  VIEWS,
} from "./places.js";

const { sameEach } = suite(import.meta.url, () => {});

type Call = (...given: readonly unknown[]) => Promise<unknown>;
type Calls = { readonly [name: string]: Call };
interface Handle extends Calls {
  readonly close: () => Promise<void>;
}
type Promises = FsCalls & {
  readonly promises: Calls & { readonly open: (...given: readonly unknown[]) => Promise<Handle> };
};

const CALLS: readonly Row[] = [
  ...ON_PATHS,
  ["lchmod", "lchmod", [FILE, MODE]],
  ["mkdtempDisposable", "mkdtempDisposable", [NEW, optional("encoding", "signal")]],
];

const METHODS: readonly Row[] = [
  ["appendFile", "appendFile", [DATA, optional("encoding", "flush", "signal")]],
  ["chmod", "chmod", [MODE]],
  ["chown", "chown", [NUMBER, NUMBER]],
  ["datasync", "datasync", []],
  ["read", "read", [VIEW, { right: () => 0, options: ["offset", "length", "position"] }, NUMBER, { right: () => 0 }]],
  [
    "read with options",
    "read",
    [{ right: () => ({ buffer: Buffer.alloc(4, ".") }), options: ["buffer", "offset", "length", "position"] }],
  ],
  ["readFile", "readFile", [optional("encoding", "flag", "signal")]],
  ["readv", "readv", [VIEWS, { right: () => 0 }]],
  ["stat", "stat", [optional("bigint", "signal")]],
  ["sync", "sync", []],
  ["truncate", "truncate", [NUMBER]],
  ["utimes", "utimes", [NUMBER, NUMBER]],
  [
    "write of bytes",
    "write",
    [VIEW, { right: () => 1, options: ["offset", "length", "position"] }, NUMBER, { right: () => 0 }],
  ],
  ["write of text", "write", [DATA, { right: () => 1 }, { right: () => "utf8" }]],
  ["writeFile", "writeFile", [DATA, optional("encoding", "flush", "signal")]],
  ["writev", "writev", [VIEWS, { right: () => 0 }]],
];

/**
 * Where Node 26 is not followed: its promises.opendir takes a function for its callback and is never settled, nor is it with a wrong
 * buffer size, and without arguments it asks for a callback; FileHandle.chmod ends the process, as fchmod does; mkdtempDisposable that
 * is to return bytes makes a directory and rejects; the writes of a FileHandle have errors without a code for detached buffers.
 */
const NOT_FOLLOWED =
  /^opendir (?:1: (?:a function|an arrow|a class)$|\{ bufferSize: |0 arguments$)|^FileHandle.chmod 0: 2 \*\* 31$|^mkdtempDisposable .*"buffer"|^FileHandle.(?:append|write)File 0: a detached /;

/** What a promise was fulfilled with, without what differs from run to run. */
async function shownLater(fs: FsCalls, name: string, value: unknown): Promise<unknown> {
  if (name === "open" || name === "opendir") return (value as Handle).close();
  if (name === "mkdtempDisposable") {
    const { path, remove } = value as { path: string; remove: () => Promise<void> };
    await remove();
    return shown(fs, "mkdtemp", path);
  }
  return shown(fs, name, value);
}

/** One call of `fs.promises` in a fresh directory. */
async function tryCall(fs: FsCalls, dir: string, name: string, make: Attempt[1]): Promise<unknown> {
  const fd = prepare(fs, dir);
  const call = (fs as unknown as Promises).promises[name] as Call;
  const done = await settled(call, make(dir, fd), (value) => shownLater(fs, name, value));
  closeAgain(fs, fd);
  return [done, state(fs, dir)];
}

/** One call of a method of a FileHandle. */
async function tryMethod(fs: FsCalls, dir: string, name: string, make: Attempt[1]): Promise<unknown> {
  closeAgain(fs, prepare(fs, dir));
  const handle = await (fs as unknown as Promises).promises.open(`${dir}/f`, "r+");
  const call: Call = (...given) => (handle[name] as Call).call(handle, ...given);
  const done = await settled(call, make(dir, handle.fd as unknown as number), (value) => shown(fs, name, value));
  await handle.close();
  return [done, state(fs, dir)];
}

function tryAll(tried: typeof tryCall, name: string, all: readonly Attempt[]): Work {
  const called = tried === tryMethod ? `FileHandle.${name}` : name;
  const attempts = fairLater(name, all).filter(([title]) => !NOT_FOLLOWED.test(`${called} ${title}`));
  return async (fs, dir) => {
    const outcomes: Record<string, unknown> = {};
    for (const [n, [title, make]] of attempts.entries()) {
      outcomes[title] = await tried(fs, `${dir}/${n}`, name, make);
    }
    return outcomes;
  };
}

for (const [of, tried, rows] of [
  ["call with a promise", tryCall, CALLS],
  ["method of a FileHandle", tryMethod, METHODS],
] as const) {
  describe(`every ${of} and one wrong argument`, () => {
    for (const [title, name, places] of rows) sameEach(title, tryAll(tried, name, single(places)));
  });
  describe(`every ${of} and two wrong arguments`, () => {
    for (const [title, name, places] of rows) {
      if (places.length > 1) sameEach(title, tryAll(tried, name, pairs(places)));
    }
  });
}
