/**
 * Every call with wrong arguments of every sort in every place, one place at a time and two, and with every known option
 * wrong: it throws what node:fs throws, word for word, or does what node:fs does.
 */
import type { Dir, Stats } from "node:fs";
import { describe } from "node:test";
import { type CallName, type FsCalls, type UncheckedCalls, unchecked } from "../../../support/fs-calls.js";
import { outcome } from "../../../support/oracle/works.js";
import { suite, type Work } from "../both.js";
import { ANY, FEW, MEMBERS, OPTIONS, type Values } from "./values.js";

const { sameEach } = suite(import.meta.url, () => {});

/** What a place of a call's arguments is: a right value, and the members of its options object. */
interface Place {
  readonly right: (dir: string, fd: number) => unknown;
  readonly values?: Values;
  readonly options?: readonly string[];
}

const FILE: Place = { right: (dir) => `${dir}/f` };
const NEW: Place = { right: (dir) => `${dir}/new` };
const FOLDER: Place = { right: (dir) => `${dir}/d` };
const LINK: Place = { right: (dir) => `${dir}/l` };
const FD: Place = { right: (_dir, fd) => fd };
const NUMBER: Place = { right: () => 1 };
const MODE: Place = { right: () => 0o600, values: { ...ANY, '"7"': () => "7", '"9"': () => "9" } };
const VIEW: Place = { right: () => Buffer.alloc(8, ".") };
const DATA: Place = { right: () => "data" };
const VIEWS: Place = {
  right: () => [Buffer.alloc(2, "."), new Uint16Array(1)],
  values: { ...ANY, "[5]": () => [5], "[a view, null]": () => [Buffer.alloc(1), null] },
};
const optional = (...options: string[]): Place => ({ right: () => undefined, values: OPTIONS, options });

/** The arguments of every call. */
const CALLS: Readonly<Partial<Record<CallName, readonly Place[]>>> = {
  accessSync: [FILE, { right: () => 4 }],
  appendFileSync: [FILE, DATA, optional("encoding", "mode", "flag", "flush", "signal")],
  chmodSync: [FILE, MODE],
  chownSync: [FILE, NUMBER, NUMBER],
  closeSync: [FD],
  copyFileSync: [FILE, NEW, { right: () => 0 }],
  existsSync: [FILE],
  fchmodSync: [FD, MODE],
  fchownSync: [FD, NUMBER, NUMBER],
  fdatasyncSync: [FD],
  fstatSync: [FD, optional("bigint")],
  fsyncSync: [FD],
  ftruncateSync: [FD, NUMBER],
  futimesSync: [FD, NUMBER, NUMBER],
  globSync: [{ right: (dir) => `${dir}/*` }, optional("cwd", "exclude", "followSymlinks", "maxDepth", "withFileTypes")],
  lchownSync: [LINK, NUMBER, NUMBER],
  linkSync: [FILE, NEW],
  lstatSync: [LINK, optional("bigint", "throwIfNoEntry")],
  lutimesSync: [LINK, NUMBER, NUMBER],
  mkdirSync: [NEW, { ...optional("recursive", "mode"), values: { ...OPTIONS, '"7"': () => "7" } }],
  mkdtempSync: [NEW, optional("encoding", "signal")],
  openSync: [FILE, { right: () => "r" }, MODE],
  opendirSync: [FOLDER, optional("encoding", "bufferSize", "recursive", "signal")],
  readSync: [FD, VIEW, { right: () => 0, options: ["offset", "length", "position"] }, NUMBER, { right: () => 0 }],
  readdirSync: [FOLDER, optional("encoding", "withFileTypes", "recursive", "signal")],
  readFileSync: [FILE, optional("encoding", "flag", "signal")],
  readlinkSync: [LINK, optional("encoding", "signal")],
  realpathSync: [FILE, optional("encoding", "signal")],
  readvSync: [FD, VIEWS, { right: () => 0 }],
  renameSync: [FILE, NEW],
  rmSync: [FILE, optional("recursive", "force", "maxRetries", "retryDelay")],
  rmdirSync: [{ right: (dir) => `${dir}/e` }, optional("recursive", "maxRetries", "retryDelay")],
  statSync: [FILE, optional("bigint", "throwIfNoEntry")],
  statfsSync: [FILE, optional("bigint")],
  symlinkSync: [{ right: () => "target" }, NEW, { right: () => "dir", values: OPTIONS }],
  truncateSync: [FILE, NUMBER],
  unlinkSync: [FILE],
  utimesSync: [FILE, NUMBER, NUMBER],
  writeFileSync: [FILE, DATA, optional("encoding", "mode", "flag", "flush", "signal")],
  writevSync: [FD, VIEWS, { right: () => 0 }],
  cpSync: [
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
  ],
};

/** Calls with several forms have a row for each. */
const FORMS: readonly (readonly [title: string, call: CallName, places: readonly Place[]])[] = [
  ...(Object.entries(CALLS) as [CallName, readonly Place[]][]).map(([call, places]) => [call, call, places] as const),
  ["readSync with options", "readSync", [FD, VIEW, optional("offset", "length", "position")]],
  [
    "writeSync of bytes",
    "writeSync",
    [FD, VIEW, { right: () => 1, options: ["offset", "length", "position"] }, NUMBER, { right: () => 0 }],
  ],
  ["writeSync of text", "writeSync", [FD, DATA, { right: () => 1 }, { right: () => "utf8", values: OPTIONS }]],
  ["fstatSync of a closed descriptor", "fstatSync", [{ right: () => 1e6 }, optional("bigint")]],
  ["readFileSync of a descriptor", "readFileSync", [FD, optional("encoding", "flag", "signal")]],
  ["writeFileSync of a descriptor", "writeFileSync", [FD, VIEW, optional("encoding", "mode", "flag", "flush")]],
  ["readFileSync as text", "readFileSync", [FILE, { right: () => "utf8", values: OPTIONS, options: ["flag"] }]],
];

/** What a call returned, without what differs from run to run. */
function shown(fs: FsCalls, call: CallName, value: unknown): unknown {
  if (call === "openSync") return fs.closeSync(value as number);
  if (call === "opendirSync") return (value as Dir).closeSync();
  if (call === "mkdtempSync") return { kind: typeof value, length: (value as string).length };
  if (call === "statSync" || call === "lstatSync" || call === "fstatSync") {
    return value === undefined ? value : { size: (value as Stats).size, mode: (value as Stats).mode };
  }
  // Sizes of file systems differ.
  if (call === "statfsSync") return typeof (value as { bsize: unknown }).bsize;
  if (call === "readdirSync") return JSON.stringify(value, ["name", "parentPath"]);
  return value;
}

/** What a call can have changed. */
function state(fs: FsCalls, dir: string): unknown {
  const names = fs.readdirSync(dir, { recursive: true, encoding: "utf8" });
  const kept = names.map((name) => name.replace(/^new.{6}$/, "new*")).sort();
  const { mode, uid, gid, mtimeMs } = fs.lstatSync(fs.existsSync(`${dir}/f`) ? `${dir}/f` : dir);
  const size = fs.statSync(`${dir}/f`, { throwIfNoEntry: false })?.size ?? 0;
  const contents = size > 0 && size < 100 ? fs.readFileSync(`${dir}/f`, "latin1") : size;
  return [kept.join(" "), contents, mode, uid, gid, mtimeMs < 1e12 ? mtimeMs : "now"];
}

/** One call with the given arguments in a fresh directory. */
function tryCall(fs: FsCalls, dir: string, call: CallName, make: (dir: string, fd: number) => unknown[]): unknown {
  fs.mkdirSync(`${dir}/d/sub`, { recursive: true });
  fs.mkdirSync(`${dir}/e`);
  fs.writeFileSync(`${dir}/f`, "contents");
  fs.writeFileSync(`${dir}/d/file`, "");
  fs.symlinkSync("f", `${dir}/l`);
  const fd = fs.openSync(`${dir}/f`, "r+");
  const calls: UncheckedCalls = unchecked(fs);
  const done = outcome(() => shown(fs, call, calls[call](...make(dir, fd))));
  try {
    fs.closeSync(fd);
  } catch {
    // The call itself may have closed it.
  }
  // Errors without a code are the engine's own, and each engine words them differently.
  return [done.thrown === undefined ? done : done.thrown.split(":")[0], state(fs, dir)];
}

type Attempt = readonly [title: string, make: (dir: string, fd: number) => unknown[]];

/** Every wrong value in every place, and every wrong member of options. */
function single(places: readonly Place[]): Attempt[] {
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
function pairs(places: readonly Place[]): Attempt[] {
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
  /^(?:openSync 2|f?chmodSync 1|mkdirSync 1): 2 \*\* 31$|^(?:append|write|mkdir)\w* \{ mode: 2 \*\* 31 \}$|^rmSync \{ maxRetries: 2 \*\* 31 \}$/;

/** Not about arguments: a path too long, which Node's realpath walks part by part. */
const OTHER_QUESTIONS = /^realpathSync 0: a path too long$/;

function tryAll(call: CallName, all: readonly Attempt[]): Work {
  const attempts = all.filter(
    ([title]) => !FAULTS_OF_NODE.test(`${call} ${title}`) && !OTHER_QUESTIONS.test(`${call} ${title}`),
  );
  return (fs, dir) =>
    Object.fromEntries(attempts.map(([title, make], n) => [title, tryCall(fs, `${dir}/${n}`, call, make)]));
}

describe("every call with one wrong argument", () => {
  for (const [title, call, places] of FORMS) sameEach(title, tryAll(call, single(places)));
});

describe("every call with two wrong arguments looks at them in Node's order", () => {
  for (const [title, call, places] of FORMS) {
    if (places.length > 1) sameEach(title, tryAll(call, pairs(places)));
  }
});
