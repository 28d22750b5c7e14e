/** Random calls for the tests of the model: few names, so that they meet; every argument that the call has. */
import fc from "fast-check";
import { MNT_DETACH, UTIME_NOW, UTIME_OMIT } from "../../../threadfs/dist/abi/abi.js";

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
};

const oneOf = (...values) => fc.constantFrom(...values);
const name = fc.constantFrom("a", "b", "c", "d", "a", "b", "c", "d", "a", "b", LONG, `${LONG}x`, "..", ".");
const components = fc.oneof(
  { weight: 4, arbitrary: fc.array(name, { minLength: 1, maxLength: 1 }) },
  { weight: 4, arbitrary: fc.array(name, { minLength: 2, maxLength: 2 }) },
  { weight: 2, arbitrary: fc.array(name, { minLength: 3, maxLength: 4 }) },
);
const common = fc
  .tuple(components, fc.constantFrom("/", "/", "/", "//"), fc.constantFrom("", "", "", "", "", "", "/", "//"))
  .map(([names, slash, end]) => names.join(slash) + end);

/** What PLANT makes, and places beside it. */
const planted = fc.constantFrom("a", "b", "c", "a/a", "a/b", "a/c", "b/a", "b/b", "b/c", "a/a/a", "d", "a/d", "b/d");
/** Relative paths: most of what is there, or nearly. */
const relative = fc.oneof({ weight: 3, arbitrary: planted }, { weight: 2, arbitrary: common });
/** Absolute and relative ones, and those that are none. */
const anyPath = fc.oneof(
  { weight: 14, arbitrary: relative },
  { weight: 14, arbitrary: relative.map((path) => `/${path}`) },
  { weight: 1, arbitrary: fc.constantFrom("", "/", "//", "a\0b", TOO_LONG, `${TOO_LONG}/a`, "a/".repeat(2100)) },
);
/** The same few places, so that what is mounted is found again. */
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
const flag = (value) => fc.constantFrom(0, 0, value);
const openFlags = fc
  .tuple(
    fc.constantFrom(0, O.WRONLY, O.RDWR),
    ...[O.CREAT, O.EXCL, O.TRUNC, O.APPEND, O.DIRECTORY, O.NOFOLLOW].map(flag),
  )
  .map((bits) => bits.reduce((all, bit) => all | bit, 0));
const fd = fc.constantFrom(3, 3, 4, 4, 5, 6);
/** Descriptor 3 of every context is a directory at first. */
const anyDirfd = fc.constantFrom(...Array(9).fill(undefined), 3, 3, 4);
/** The superuser gets further. */
const anyContext = (contexts) => fc.oneof(fc.constant(0), fc.nat(contexts - 1));
const size = fc.constantFrom(0, 1, 3, 7, 5000);
const text = fc.constantFrom("", "x", "hello", "y".repeat(4200));
const offset = fc.constantFrom(-1, -1, 0, 2, 4097);
const time = fc.record({ sec: fc.nat(9), nsec: fc.constantFrom(0, 5_000_000, UTIME_NOW, UTIME_OMIT) });
const perm = fc.nat(7);
const entryOf = (tag, id = 0) => perm.map((bits) => ({ tag, perm: bits, id }));
/** ACLs that are good, none, and some that are not. */
const acl = fc.oneof(
  { weight: 1, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.tuple(entryOf(1), entryOf(4), entryOf(32)) },
  {
    weight: 4,
    arbitrary: fc.tuple(entryOf(1), entryOf(2, 2000), entryOf(4), entryOf(8, 1000), entryOf(16), entryOf(32)),
  },
  { weight: 1, arbitrary: fc.tuple(entryOf(1), entryOf(2, 1000), entryOf(4), entryOf(32)) },
  { weight: 1, arbitrary: fc.tuple(entryOf(1), entryOf(4), entryOf(8, 2000), entryOf(16), entryOf(32)) },
);
const bool = oneOf(false, false, true);

/**
 * Arbitraries of calls by name.
 * @param path, body of links; `dirfds`: whether calls may be relative to a descriptor; `modes` for what may be set
 */
function calls({ path, body, dirfds, sticky }) {
  const dirfd = dirfds ? anyDirfd : fc.constant(undefined);
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

/** What node:fs has no way to say, or says in more than one call. */
const ours = ({ path, dirfd }) => ({
  exchange: { dirfd, path, dirfd2: dirfd, path2: path, flags: oneOf(1, 2, 2, 3) },
  sysMknod: {
    dirfd,
    path,
    mode: fc.tuple(oneOf(0, 0o100000, 0o010000, 0o140000, 0o040000, 0o020000), modes).map(([a, b]) => a | b),
  },
  sysLink: { dirfd, path, dirfd2: dirfd, path2: path, follow: bool },
  sysStat: { dirfd, path: fc.constant(""), empty: fc.constant(true) },
  sysChroot: { dirfd, path },
  sysTruncate: { dirfd, path, size: oneOf(-1, 0, 1, 7, 5000) },
  sysLseek: { fd, offset: oneOf(-2, 0, 3), whence: fc.nat(3) },
  sysGetdents: { fd },
  sysFsync: { fd },
  sysSetacl: { dirfd, path, acl },
  sysGetacl: { dirfd, path },
  sysUtimens: { dirfd, path, atime: time, mtime: time, nofollow: bool },
  sysFutimens: { fd, atime: time, mtime: time },
  sysMountNew: { path: mountPath, readonly: bool, noexec: bool },
  bind: { path, path2: mountPath, readonly: bool },
  move: { path: mountPath, path2: mountPath },
  sysUmount: { path: mountPath, flags: oneOf(0, 0, MNT_DETACH, 4) },
  umount: { path: mountPath, flags: oneOf(0, MNT_DETACH) },
});

const REAL = {
  umount: { call: "sysUmount" },
  rmdir: { call: "sysUnlink", removedir: true },
  exchange: { call: "sysRename" },
  bind: { call: "sysMount", bind: true },
  move: { call: "sysMount", move: true },
};

const arbitraries = (table) =>
  Object.entries(table).map(([call, fields]) =>
    fc.record(fields).map((args) => ({ ...(REAL[call] ?? { call }), ...args })),
  );

/** Calls of every kind, by contexts 0 ... `contexts` - 1. chroot is for the last one. */
export function everyCall(contexts) {
  const dirfd = anyDirfd;
  const all = [
    ...arbitraries(calls({ path: anyPath, body: anyBody, dirfds: true, sticky: true })),
    ...arbitraries(ours({ path: anyPath, dirfd })),
  ];
  return fc
    .tuple(fc.oneof(...all), anyContext(contexts))
    .map(([call, ctx]) => ({ ...call, ctx: call.call === "sysChroot" ? contexts - 1 : ctx }));
}

/** Calls that node:fs has one for, with paths that never leave the directory of the run (see FLOOR). */
export function kernelCall(contexts) {
  const all = arbitraries(calls({ path: relative, body: relativeBody, dirfds: false, sticky: false }));
  return fc.tuple(fc.oneof(...all), anyContext(contexts)).map(([call, ctx]) => ({ ...call, ctx }));
}

/** So deep inside the run's directory that nothing leads out: 4 ".." of a path, and one of each of 40 links twice. */
export const FLOOR = "i/".repeat(4 + 40 * 2 + 1);

/** Something to begin with: the first calls would else meet nothing. Everybody has descriptors of some of it. */
export function plant(contexts) {
  return [
    { call: "sysUmask", mask: 0 },
    ...["a", "a/a", "a/b", "b", "b/a"].map((path) => ({ call: "sysMkdir", path, mode: 0o777 })),
    ...["a/c", "b/b", "a/a/a"].flatMap((path) => [
      { call: "sysOpen", path, flags: O.CREAT | O.RDWR, mode: 0o666 },
      { call: "sysWrite", fd: 3, data: path },
      { call: "sysClose", fd: 3 },
    ]),
    { call: "sysSymlink", target: "a", path2: "c" },
    { call: "sysSymlink", target: "../a", path2: "b/c" },
    { call: "sysLink", path: "a/c", path2: "b/d" },
    ...Array.from({ length: contexts }, (_, ctx) => [
      { call: "sysOpen", path: "a", flags: O.DIRECTORY, ctx },
      { call: "sysOpen", path: "a/c", flags: O.RDWR, ctx },
      { call: "sysOpen", path: "b/b", flags: ctx % 2 === 0 ? 0 : O.WRONLY | O.APPEND, ctx },
    ]).flat(),
  ].map((call) => ({ ctx: 0, ...call }));
}
