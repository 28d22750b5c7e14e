/** Random calls for the tests of the model: few names, so that calls meet the same files; every argument of each call. */
import fc from "fast-check";
import { MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW, UTIME_NOW, UTIME_OMIT } from "../../../threadfs/dist/abi/abi.js";
import type { AclEntry } from "../../dist/model/acl.js";
import type { Call, CallArguments, CallName } from "../../dist/model/call.js";

/** Too long for a directory entry's own memory; its neighbour differs in the last byte. */
const LONG = "n".repeat(90);
const TOO_LONG = "n".repeat(256);
const O = {
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0x40,
  EXCL: 0x80,
  TRUNC: 0x200,
  APPEND: 0x400,
  DIRECTORY: 0x10000,
  NOFOLLOW: 0x20000,
  TMPFILE: 0o20200000,
};

const oneOf = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const name = fc.constantFrom("a", "b", "c", "d", "a", "b", "c", "d", "a", "b", LONG, `${LONG}x`, "..", ".");
const components = fc.oneof(
  { weight: 4, arbitrary: fc.array(name, { minLength: 1, maxLength: 1 }) },
  { weight: 4, arbitrary: fc.array(name, { minLength: 2, maxLength: 2 }) },
  { weight: 2, arbitrary: fc.array(name, { minLength: 3, maxLength: 4 }) },
);
const common = fc
  .tuple(components, fc.constantFrom("/", "/", "/", "//"), fc.constantFrom("", "", "", "", "", "", "/", "//"))
  .map(([names, slash, end]) => names.join(slash) + end);

/** The files that plant() makes, and paths beside them. */
const planted = fc.constantFrom("a", "b", "c", "a/a", "a/b", "a/c", "b/a", "b/b", "b/c", "a/a/a", "d", "a/d", "b/d");
/** Relative paths: most of them of files that exist. */
const relative = fc.oneof({ weight: 3, arbitrary: planted }, { weight: 2, arbitrary: common });
/** Absolute and relative paths, and strings that are no valid path. */
const anyPath = fc.oneof(
  { weight: 14, arbitrary: relative },
  { weight: 14, arbitrary: relative.map((path) => `/${path}`) },
  { weight: 1, arbitrary: fc.constantFrom("", "/", "//", "a\0b", TOO_LONG, `${TOO_LONG}/a`, "a/".repeat(2100)) },
);
/** Few mount points, so that calls meet the mounts. */
const mountPath = fc.oneof(
  { weight: 5, arbitrary: oneOf("/a", "/b", "/a/b", "/a/a") },
  { weight: 1, arbitrary: anyPath },
);
const relativeBody = fc
  .array(fc.constantFrom("a", "b", "c", "d", "..", "."), { minLength: 1, maxLength: 2 })
  .map((names) => names.join("/"));
const anyBody = fc.oneof(
  relativeBody,
  relativeBody.map((body) => `/${body}`),
  fc.constantFrom("/", "a/", "", "c/"),
);

const mode = fc.constantFrom(0o777, 0o755, 0o700, 0o644, 0o600, 0o400, 0o070, 0o007, 0, 0o111, 0o666);
const modes = fc.oneof(
  mode,
  mode.map((m) => m | 0o4000),
  mode.map((m) => m | 0o2000),
);
const stickyModes = fc.oneof(modes, fc.constant(0o1777));
const owner = fc.constantFrom(-1, 0, 1000, 2000);
const flag = (value: number) => fc.constantFrom(0, 0, value);
const openFlags = fc
  .tuple(
    fc.constantFrom(0, O.WRONLY, O.RDWR),
    ...[O.CREAT, O.EXCL, O.TRUNC, O.APPEND, O.DIRECTORY, O.NOFOLLOW].map(flag),
  )
  .map((bits) => bits.reduce((all, bit) => all | bit, 0));
const fd = fc.constantFrom(3, 3, 4, 4, 5, 6);
/** Descriptor 3 of every context is a directory at first. */
const anyDirfd: fc.Arbitrary<number | undefined> = fc.constantFrom(...Array<undefined>(9).fill(undefined), 3, 3, 4);
/** The superuser more often: its calls succeed more often. */
const anyContext = (contexts: number) => fc.oneof(fc.constant(0), fc.nat(contexts - 1));
const size = fc.constantFrom(0, 1, 3, 7, 5000);
const text = fc.constantFrom("", "x", "hello", "y".repeat(4200));
const offset = fc.constantFrom(-1, -1, 0, 2, 4097);
const xattrName = fc.constantFrom(
  ...["user.a", "user.a", "user.b", "user.ab", "trusted.a", "security.a", "system.a", "user.", "other", ""],
  "user.".padEnd(256, "x"),
);
/** The position, where it is left out. */
const place: fc.Arbitrary<number | undefined> = fc.constantFrom(undefined, undefined, 0, 2, 4097);
const time = fc.record({ sec: fc.nat(9), nsec: fc.constantFrom(0, 5_000_000, UTIME_NOW, UTIME_OMIT) });
const perm = fc.nat(7);
const entryOf = (tag: number, id = 0) => perm.map((bits) => ({ tag, perm: bits, id }));
/** Valid ACLs, the empty one, and some that are not valid. */
const acl: fc.Arbitrary<AclEntry[]> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<AclEntry[]>([]) },
  { weight: 1, arbitrary: fc.tuple(entryOf(1), entryOf(4), entryOf(32)) },
  {
    weight: 4,
    arbitrary: fc.tuple(entryOf(1), entryOf(2, 2000), entryOf(4), entryOf(8, 1000), entryOf(16), entryOf(32)),
  },
  { weight: 1, arbitrary: fc.tuple(entryOf(1), entryOf(2, 1000), entryOf(4), entryOf(32)) },
  { weight: 1, arbitrary: fc.tuple(entryOf(1), entryOf(4), entryOf(8, 2000), entryOf(16), entryOf(32)) },
);
const bool = oneOf(false, false, true);
const rarely = oneOf(false, false, false, false, false, false, false, true);

/** The calls that stand under names of their own: the same call with other arguments. */
interface Variants {
  umount: "sysUmount";
  rmdir: "sysUnlink";
  exchange: "sysRename";
  bind: "sysMount";
  move: "sysMount";
  tmpfile: "sysOpen";
  linkat: "sysLink";
}
type Name = CallName | keyof Variants;
/** An arbitrary for each argument of a call. */
type Arguments<K extends CallName> = { [A in keyof CallArguments[K]]: fc.Arbitrary<CallArguments[K][A]> };
/** The arguments of calls, by name. */
type Table = { [N in Name]?: Arguments<N extends keyof Variants ? Variants[N] : N> };

interface Ranges {
  path: fc.Arbitrary<string>;
  /** Bodies of links. */
  body: fc.Arbitrary<string>;
  /** Whether calls may be relative to a descriptor. */
  dirfds: boolean;
  /** Whether modes may have the sticky bit. */
  sticky: boolean;
}

/** The calls that node:fs can make too. */
function calls({ path, body, dirfds, sticky }: Ranges): Table {
  const dirfd: fc.Arbitrary<number | undefined> = dirfds ? anyDirfd : fc.constant(undefined);
  const setModes = sticky ? stickyModes : modes;
  const at = { dirfd, path };
  const both = { ...at, dirfd2: dirfd, path2: path };
  return {
    sysStat: { ...at, nofollow: bool },
    sysAccess: { ...at, mode: fc.nat(7) },
    sysReadlink: at,
    sysRealpath: at,
    sysGetcwd: {},
    sysChdir: at,
    sysUmask: { mask: oneOf(0, 0o022, 0o077) },
    sysMkdir: { ...at, mode: setModes },
    sysSymlink: { target: body, dirfd2: dirfd, path2: path },
    sysLink: both,
    sysUnlink: at,
    rmdir: at,
    sysRename: both,
    sysOpen: { ...at, flags: openFlags, mode: setModes },
    sysClose: { fd: oneOf(3, 4, 5, 6, 7, 8, 9) },
    sysRead: { fd, offset, n: oneOf(0, 3, 9000) },
    sysWrite: { fd, offset, data: text },
    sysFtruncate: { fd, size },
    sysFstat: { fd },
    sysChmod: { ...at, mode: setModes },
    sysFchmod: { fd, mode: setModes },
    sysChown: { ...at, uid: owner, gid: owner, nofollow: bool },
    sysFchown: { fd, uid: owner, gid: owner },
  };
}

/** The calls that node:fs cannot make, or not as one call. */
const ours = (path: fc.Arbitrary<string>): Table => ({
  exchange: { dirfd: anyDirfd, path, dirfd2: anyDirfd, path2: path, flags: oneOf(1, 2, 2, 3) },
  sysReadFile: { dirfd: anyDirfd, path },
  sysScandir: { dirfd: anyDirfd, path },
  sysWriteFile: { dirfd: anyDirfd, path, append: bool, mode: modes, data: text },
  sysMknod: {
    dirfd: anyDirfd,
    path,
    mode: fc.tuple(oneOf(0, 0o100000, 0o010000, 0o140000, 0o040000, 0o020000), modes).map(([a, b]) => a | b),
  },
  sysLink: { dirfd: anyDirfd, path, dirfd2: anyDirfd, path2: path, follow: bool },
  sysStat: { dirfd: anyDirfd, path: fc.constant(""), empty: fc.constant(true) },
  sysChroot: { dirfd: anyDirfd, path },
  sysTruncate: { dirfd: anyDirfd, path, size: oneOf(-1, 0, 1, 7, 5000) },
  sysLseek: { fd, offset: oneOf(-2, 0, 3), whence: oneOf(0, 1, 2, 5) },
  sysFallocate: { fd, mode: oneOf(0, 1, 2, 3, 3), offset: oneOf(-1, 0, 3, 5000), len: oneOf(0, 1, 4, 9000) },
  sysCopyFileRange: { fd, offset: place, fd2: fd, offset2: place, len: oneOf(0, 2, 9000) },
  sysSetxattr: { dirfd: anyDirfd, path, nofollow: bool, name: xattrName, value: text, how: oneOf(0, 0, 1, 2, 4) },
  sysGetxattr: { dirfd: anyDirfd, path, nofollow: bool, name: xattrName },
  sysListxattr: { dirfd: anyDirfd, path, nofollow: bool },
  sysRemovexattr: { dirfd: anyDirfd, path, nofollow: bool, name: xattrName },
  tmpfile: {
    dirfd: anyDirfd,
    path,
    flags: oneOf(O.TMPFILE, O.TMPFILE | O.RDWR, O.TMPFILE | O.WRONLY | O.EXCL),
    mode: modes,
  },
  linkat: { dirfd: oneOf(3, 4, 5, 6), path: fc.constant(""), dirfd2: anyDirfd, path2: path },
  sysGetdents: { fd },
  sysFsync: { fd },
  sysSetacl: { dirfd: anyDirfd, path, acl },
  sysGetacl: { dirfd: anyDirfd, path },
  sysUtimens: { dirfd: anyDirfd, path, atime: time, mtime: time, nofollow: bool },
  sysFutimens: { fd, atime: time, mtime: time },
  sysMountNew: { path: mountPath, readonly: bool, noexec: bool, nosymfollow: rarely, noatime: bool },
  sysRemount: { path: mountPath, bind: bool, readonly: rarely, noexec: bool, nodiratime: bool, strictatime: bool },
  sysMounts: {},
  sysPivotRoot: { path: mountPath, path2: mountPath },
  bind: { path, path2: mountPath, readonly: bool, recursive: bool },
  move: { path: mountPath, path2: mountPath },
  sysUmount: { path: mountPath, flags: oneOf(0, 0, MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW, 16) },
  umount: { path: mountPath, flags: oneOf(0, MNT_DETACH) },
});

/** What the variants are. */
const VARIANTS: { [V in keyof Variants]: { call: Variants[V] } & Partial<CallArguments[Variants[V]]> } = {
  umount: { call: "sysUmount" },
  rmdir: { call: "sysUnlink", removedir: true },
  exchange: { call: "sysRename" },
  bind: { call: "sysMount", bind: true },
  move: { call: "sysMount", move: true },
  tmpfile: { call: "sysOpen" },
  linkat: { call: "sysLink", empty: true },
};

const isVariant = (name: string): name is keyof Variants => Object.hasOwn(VARIANTS, name);

/** The calls of a table, each with random arguments. */
const arbitraries = (table: Table): fc.Arbitrary<Call>[] =>
  Object.entries(table).map(([name, fields]) =>
    // By the type of the table the arguments are those of this very call.
    fc.record(fields as Record<string, fc.Arbitrary<unknown>>).map((args) => {
      const call = isVariant(name) ? VARIANTS[name] : { call: name };
      return { ...call, ...args } as Call;
    }),
  );

/** Calls of every kind, by contexts 0 ... `contexts` - 1. Only the last one calls chroot. */
export function everyCall(contexts: number): fc.Arbitrary<Call> {
  const all = [
    ...arbitraries(calls({ path: anyPath, body: anyBody, dirfds: true, sticky: true })),
    ...arbitraries(ours(anyPath)),
  ];
  return fc
    .tuple(fc.oneof(...all), anyContext(contexts))
    .map(([call, ctx]) => ({ ...call, ctx: call.call === "sysChroot" ? contexts - 1 : ctx }));
}

/** Calls that node:fs can make, with paths that never leave the directory of the run (see FLOOR). */
export function kernelCall(contexts: number): fc.Arbitrary<Call> {
  const all = arbitraries(calls({ path: relative, body: relativeBody, dirfds: false, sticky: false }));
  return fc.tuple(fc.oneof(...all), anyContext(contexts)).map(([call, ctx]) => ({ ...call, ctx }));
}

/** So deep inside the directory of the run that no path leads out: a path has 4 "..", and each of 40 links one, twice. */
export const FLOOR = "i/".repeat(4 + 40 * 2 + 1);

/** Calls that make the first files, and open some of them in every context. */
export function plant(contexts: number): Call[] {
  const planted: Call[] = [
    { call: "sysUmask", mask: 0 },
    ...["a", "a/a", "a/b", "b", "b/a"].map((path): Call => ({ call: "sysMkdir", path, mode: 0o777 })),
    ...["a/c", "b/b", "a/a/a"].flatMap((path): Call[] => [
      { call: "sysOpen", path, flags: O.CREAT | O.RDWR, mode: 0o666 },
      { call: "sysWrite", fd: 3, data: path },
      { call: "sysClose", fd: 3 },
    ]),
    { call: "sysSymlink", target: "a", path2: "c" },
    { call: "sysSymlink", target: "../a", path2: "b/c" },
    { call: "sysLink", path: "a/c", path2: "b/d" },
    ...Array.from({ length: contexts }, (_, ctx): Call[] => [
      { call: "sysOpen", path: "a", flags: O.DIRECTORY, ctx },
      { call: "sysOpen", path: "a/c", flags: O.RDWR, ctx },
      { call: "sysOpen", path: "b/b", flags: ctx % 2 === 0 ? 0 : O.WRONLY | O.APPEND, ctx },
    ]).flat(),
  ];
  return planted.map((call) => ({ ctx: 0, ...call }));
}
