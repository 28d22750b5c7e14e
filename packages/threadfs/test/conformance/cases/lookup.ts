/**
 * Every call that takes a path, on every shape of path: what is at its end, what is in its middle, slashes, dots, links,
 * lengths and bytes.
 */
import { Buffer } from "node:buffer";
import nodeFs, { type Dir, type Dirent, type PathLike, type Stats } from "node:fs";
import type { Case, Tools } from "../support/case.js";
import { SELF } from "../support/targets.js";

const { R_OK, W_OK, X_OK, O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = nodeFs.constants;

/** A chain of this many symbolic links is one too many. */
const CHAIN = 41;

/** Longest path in bytes. */
const PATH_MAX = 4095;

/** For the calls that change something: small, since each has a tree of its own. */
function small(t: Tools): void {
  t.tree({
    f: "hello",
    g: "other",
    "d/": null,
    "d/f": "inner",
    "d/sub/": null,
    "d/back": ["../f"],
    "empty/": null,
    lf: ["f"],
    ld: ["d"],
    lsub: ["d/sub"],
    lempty: ["empty"],
    dang: ["missing"],
    dangin: ["nodir/x"],
    dangd: ["d/new"],
    self: ["self"],
    lfs: ["f/"],
    dangs: ["missing/"],
    absd: [t.p("d")],
  });
}

/** For the calls that read, which share one tree. */
function fixture(t: Tools): void {
  small(t);
  t.tree({
    x: { data: "#!", mode: 0o755 },
    "d/sub/deep": "deep",
    lg: ["d/f"],
    llf: ["lf"],
    lld: ["ld"],
    loop1: ["loop2"],
    loop2: ["loop1"],
    lds: ["d/"],
    lfx: ["f/x"],
    dot: ["."],
    dots: ["d/./../d//sub"],
    "d/loop": ["../loop1"],
    "d/out": ["../../"],
    abs: [t.p("f")],
  });
}

/** A path in the case's directory, or how to make it from that directory. */
type Path = string | ((t: Tools) => unknown);

interface Shape {
  readonly name: string;
  readonly path: Path;
}

/** The links c1 -> f, c2 -> c1 ...: `cN` passes N links. */
function chained(t: Tools): void {
  fixture(t);
  t.fs.symlinkSync("f", t.p("c1"));
  for (let n = 2; n <= CHAIN; n++) t.fs.symlinkSync(`c${n - 1}`, t.p(`c${n}`));
  // The same through directories: each step is a link in the middle of the path.
  t.fs.symlinkSync(".", t.p("e1"));
  for (let n = 2; n <= CHAIN; n++) t.fs.symlinkSync(`e${n - 1}`, t.p(`e${n}`));
}

/** An absolute path of exactly `bytes` bytes that names `name`. */
const padded = (name: string, bytes: number) => (t: Tools) =>
  `${t.dir}/${"/".repeat(bytes - t.dir.length - 1 - name.length)}${name}`;
/** The same with "./" as filler, where the number is even enough for it. */
const dotted = (name: string, bytes: number) => (t: Tools) => {
  const room = bytes - t.dir.length - 1 - name.length;
  return `${t.dir}/${room % 2 ? "/" : ""}${"./".repeat(room >> 1)}${name}`;
};

type PathCall = (t: Tools, path: PathLike) => unknown;
type PathCalls = Readonly<Record<string, PathCall>>;

const shown = (path: string) => JSON.stringify(path.length > 60 ? `${path.slice(0, 9)}..${path.length}` : path);

const N255 = "n".repeat(255);
const N256 = "n".repeat(256);

/** Below the case's directory. */
const INSIDE: Shape[] = [
  ..."f x d empty nope lf llf lg ld lld lempty dang dangin dangd self loop1 lfs lds dangs lfx dots abs absd".split(" "),
  ..."f/ f// f/. f/.. f/../g f/x f/x/y x/ nope/ nope// nope/. nope/.. nope/x nope/x/y nope/../f".split(" "),
  ..."d/ d// d/. d/./ d/f d//f d/./f d/nope d/sub d/sub/ d/sub/. d/sub/.. d/sub/../f d/sub/../../f".split(" "),
  ..."./f .//./f ./. d/../f d/../d/../f d/../nope empty/ empty/. empty/../f".split(" "),
  ..."lf/ lf/. lf/.. lf/x ld/ ld// ld/. ld/f ld/nope ld/sub ld/sub/ ld/../f ld/../nope lsub/ lsub/deep".split(" "),
  ..."lsub/.. lsub/../f lsub/../nope lsub/../../f ld/back ld/sub/../back d/back d/back/ d/loop d/loop/x".split(" "),
  ..."dang/ dang/. dang/x dangin/ dangd/ dangs/ self/ self/x self/.. loop1/ loop1/x loop1/../f".split(" "),
  ..."lfs/ lds/ lds/f lds/../f dot/f dot/dot/dot/f dots/ dots/deep dots/../f absd/ absd/f absd/../f".split(" "),
  N255,
  `d/${N255}`,
  N256,
  `d/${N256}`,
  `${N256}/f`,
  `${N256}/../f`,
  `f/${N256}`,
  `nope/${N256}`,
  "é".repeat(127),
  "é".repeat(128),
  "\ud800",
  "d/\udfff\ud800x",
  "ünïcödé/☃",
  "\x01\x7f \n",
  "f\0",
  "\0",
  "d/\0/f",
].map((path) => ({ name: shown(path), path }));

INSIDE.push(
  { name: "empty path", path: () => "" },
  { name: "4095 bytes of slashes to f", path: padded("f", 4095) },
  { name: "4096 bytes of slashes to f", path: padded("f", 4096) },
  { name: "4095 bytes of ./ to f", path: dotted("f", 4095) },
  { name: "4096 bytes of ./ to f", path: dotted("f", 4096) },
  { name: "4095 bytes of slashes to nope", path: padded("nope", 4095) },
  { name: "4096 bytes of slashes to nope", path: padded("nope", 4096) },
  { name: "4095 bytes of ./ to lf", path: dotted("lf", 4095) },
  { name: "8000 bytes of slashes to f", path: padded("f", 8000) },
  { name: "Buffer f", path: (t) => Buffer.from(t.p("f")) },
  { name: "Buffer lf/", path: (t) => Buffer.from(t.p("lf/")) },
  { name: "Buffer nope", path: (t) => Buffer.from(t.p("nope")) },
  { name: "Buffer that is no UTF-8", path: (t) => Buffer.from(t.p("d/\xff\xfe\x80"), "latin1") },
  { name: "Buffer with NUL", path: (t) => Buffer.from(t.p("f\0x")) },
  { name: "Uint8Array f", path: (t) => new Uint8Array(Buffer.from(t.p("f"))) },
  { name: "URL f", path: (t) => new URL(`file://${t.p("f")}`) },
  { name: "URL d/%66", path: (t) => new URL(`file://${t.p("d/%66")}`) },
  { name: "URL nope", path: (t) => new URL(`file://${t.p("nope")}`) },
  { name: "URL with %2F", path: (t) => new URL(`file://${t.p("d%2Ff")}`) },
  { name: "URL with %00", path: (t) => new URL(`file://${t.p("f%00")}`) },
  { name: "URL of http", path: () => new URL("http://localhost/f") },
  { name: "URL with a host", path: (t) => new URL(`file://elsewhere${t.p("f")}`) },
  { name: "number", path: () => 1.5 },
  { name: "undefined", path: () => undefined },
  { name: "null", path: () => null },
  { name: "object", path: () => ({ path: "f" }) },
);

/** Paths that lead out of the case's directory: only for calls that read. */
const OUTSIDE: Shape[] = [
  { name: '".."', path: ".." },
  { name: '"../"', path: "../" },
  { name: '"d/out"', path: "d/out" },
  { name: '"ld/../.."', path: "ld/../.." },
  { name: '"." as the whole', path: "." },
  { name: '".. at the root"', path: (t) => `/../..//.././..${t.p("f")}` },
  { name: '"// at the front"', path: (t) => `//${t.p("f")}` },
  { name: '"/// and dots at the front"', path: (t) => `/././//.${t.p("lf")}` },
  { name: '"up to the root and down"', path: (t) => `${t.p("d")}${"/..".repeat(60)}${t.p("d/f")}` },
];

/** Numbers of links: 40 may be followed. */
const CHAINS: Shape[] = [1, 8, 9, 39, 40, 41].flatMap((n) => [
  { name: `${n} links one after the other`, path: `c${n}` },
  { name: `${n} links and a slash`, path: `c${n}/` },
  { name: `${n} links in the middle`, path: `e${n}/f` },
]);
CHAINS.push(
  { name: "40 links in a row in the middle", path: `${"dot/".repeat(40)}f` },
  { name: "41 links in a row in the middle", path: `${"dot/".repeat(41)}f` },
  { name: "39 links in the middle and one at the end", path: `${"dot/".repeat(39)}lf` },
  { name: "40 links in the middle and one at the end", path: `${"dot/".repeat(40)}lf` },
);

/** Node 20 throws ENOTDIR in spite of `throwIfNoEntry: false`, later versions do not. */
function orUndefined<T>(fn: () => T): T | undefined {
  try {
    return fn();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}

function entriesOf(dir: Dir): Dirent[] {
  const entries: Dirent[] = [];
  try {
    for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) entries.push(entry);
  } finally {
    dir.closeSync();
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function opened(t: Tools, path: PathLike, flags: string | number, mode?: number): Stats {
  const fd = t.fs.openSync(path, flags, mode);
  try {
    return t.fs.fstatSync(fd);
  } finally {
    t.fs.closeSync(fd);
  }
}

/** Calls that only read. */
const READING: PathCalls = {
  "accessSync F_OK": (t, path) => t.fs.accessSync(path),
  "accessSync R_OK|W_OK": (t, path) => t.fs.accessSync(path, R_OK | W_OK),
  "accessSync X_OK": (t, path) => t.fs.accessSync(path, X_OK),
  existsSync: (t, path) => t.fs.existsSync(path),
  statSync: (t, path) => t.fs.statSync(path),
  "statSync throwIfNoEntry": (t, path) => orUndefined(() => t.fs.statSync(path, { throwIfNoEntry: false })),
  lstatSync: (t, path) => t.fs.lstatSync(path),
  "lstatSync throwIfNoEntry": (t, path) => orUndefined(() => t.fs.lstatSync(path, { throwIfNoEntry: false })),
  "realpathSync.native": (t, path) =>
    (typeof path === "string" && path.length > PATH_MAX) || t.fs.realpathSync.native(path),
  readdirSync: (t, path) => t.fs.readdirSync(path).sort(),
  opendirSync: (t, path) => entriesOf(t.fs.opendirSync(path)),
  readlinkSync: (t, path) => t.fs.readlinkSync(path),
  readFileSync: (t, path) => t.fs.readFileSync(path),
  "readFileSync utf8": (t, path) => t.fs.readFileSync(path, "utf8"),
  "openSync r": (t, path) => opened(t, path, "r"),
  "openSync O_DIRECTORY": (t, path) => opened(t, path, O_RDONLY | O_DIRECTORY),
  "openSync O_NOFOLLOW": (t, path) => opened(t, path, O_RDONLY | O_NOFOLLOW),
};

/** Calls that change something; each has a tree of its own. */
const CHANGING = {
  "openSync r+": (t, path) => opened(t, path, "r+"),
  "openSync w": (t, path) => opened(t, path, "w", 0o640),
  "openSync wx": (t, path) => opened(t, path, "wx"),
  writeFileSync: (t, path) => t.fs.writeFileSync(path, "new contents"),
  appendFileSync: (t, path) => t.fs.appendFileSync(path, "+more"),
  truncateSync: (t, path) => t.fs.truncateSync(path, 3),
  mkdirSync: (t, path) => t.fs.mkdirSync(path),
  "mkdirSync recursive": (t, path) => t.fs.mkdirSync(path, { recursive: true }),
  rmdirSync: (t, path) => t.fs.rmdirSync(path),
  unlinkSync: (t, path) => t.fs.unlinkSync(path),
  chmodSync: (t, path) => t.fs.chmodSync(path, 0o751),
  lchownSync: (t, path) => t.fs.lchownSync(path, SELF.uid, SELF.gid),
  utimesSync: (t, path) => {
    t.fs.utimesSync(path, 1000, 2000);
    return [t.fs.statSync(path).atimeMs, t.fs.statSync(path).mtimeMs];
  },
  lutimesSync: (t, path) => {
    t.fs.lutimesSync(path, 1000, 2000);
    return [t.fs.lstatSync(path).atimeMs, t.fs.lstatSync(path).mtimeMs];
  },
  "linkSync from": (t, path) => t.fs.linkSync(path, t.p("made")),
  "linkSync to": (t, path) => t.fs.linkSync(t.p("g"), path),
  "symlinkSync at": (t, path) => t.fs.symlinkSync("g", path),
  "renameSync from": (t, path) => t.fs.renameSync(path, t.p("made")),
  "renameSync a file to": (t, path) => t.fs.renameSync(t.p("g"), path),
} satisfies PathCalls;

/** Calls in which versions of Node differ beyond the code: JavaScript in one, C++ in another. */
const CODE_ONLY: PathCalls = {
  "rmSync force": (t, path) => t.fs.rmSync(path, { force: true }),
  "copyFileSync from": (t, path) => t.fs.copyFileSync(path, t.p("made")),
  "copyFileSync to": (t, path) => t.fs.copyFileSync(t.p("g"), path),
};

/** Shapes for the calls that change something, all of which stay inside the case's directory. */
const CHANGED: Shape[] = [
  ..."f d empty nope lf ld lempty dang dangin dangd self lfs dangs absd f/ f/. f/x nope/ nope/. nope/.. nope/x".split(
    " ",
  ),
  ..."nope/../f d/ d/. d/f d/nope d/sub/.. d/sub/../f d/sub/../nope empty/ empty/. lf/ ld/ ld/. ld/f ld/nope".split(
    " ",
  ),
  ..."ld/../f ld/../nope lsub/../nope lempty/ d/back dang/ dang/x dangd/ dangs/ self/ self/x lfs/".split(" "),
  N255,
  `d/${N256}`,
  "d/\udfff\ud800x",
  "ünïcödé",
  "f\0",
].map((path) => ({ name: shown(path), path }));

CHANGED.push(
  { name: "empty path", path: () => "" },
  { name: "4095 bytes to f", path: padded("f", 4095) },
  { name: "4096 bytes to f", path: padded("f", 4096) },
  { name: "4095 bytes to nope", path: padded("nope", 4095) },
  { name: "Buffer that is no UTF-8", path: (t) => Buffer.from(t.p("d/\xff\xfe\x80"), "latin1") },
  { name: "URL nope", path: (t) => new URL(`file://${t.p("nope")}`) },
);

/** The path of a shape. Some are of a type that no path has: the calls must refuse those. */
const resolve = (t: Tools, { path }: Shape) => (typeof path === "function" ? path(t) : t.p(path)) as PathLike;

/** One case for a call and a shape. */
const table = (calls: PathCalls, shapes: readonly Shape[], more: Partial<Case>): Case[] =>
  Object.entries(calls).flatMap(([call, fn]) =>
    shapes.map((shape) => ({ ...more, name: `${call} ${shape.name}`, run: (t) => fn(t, resolve(t, shape)) })),
  );

/** One case for a shape: the outcome of every call. */
const together = (name: string, calls: PathCalls, shapes: readonly Shape[], more: Partial<Case>): Case[] =>
  shapes.map((shape) => ({
    ...more,
    name: `${name} ${shape.name}`,
    run: (t) =>
      Object.fromEntries(Object.entries(calls).map(([call, fn]) => [call, t.out(() => fn(t, resolve(t, shape)))])),
  }));

const REALPATH: PathCalls = {
  realpathSync: (t, path) => t.fs.realpathSync(path),
  "realpathSync buffer": (t, path) => t.fs.realpathSync(path, "buffer"),
};

const EVERYWHERE = [...INSIDE, ...OUTSIDE, ...CHAINS];

const cases: readonly Case[] = [
  ...together("reading", READING, EVERYWHERE, { shared: chained }),
  ...together("realpathSync", REALPATH, EVERYWHERE, { shared: chained }),
  ...table(CHANGING, CHANGED, { setup: small }),
  ...table(CODE_ONLY, CHANGED, { setup: small, only: ["code"] }),
  ...table({ "openSync w": CHANGING["openSync w"], chmodSync: CHANGING.chmodSync }, CHAINS, { setup: chained }),
];

export default cases;
