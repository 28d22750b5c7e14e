/** Random calls for the tests of the model: few names, so that they meet; every argument that the call has. */
import fc from "fast-check";
import { MNT_DETACH, UTIME_NOW, UTIME_OMIT } from "../../dist/abi.js";

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

const name = fc.constantFrom("a", "b", "c", "d", "a", "b", "c", "d", "a", "b", LONG, `${LONG}x`, "..", ".");
const components = fc.oneof(
  { weight: 4, arbitrary: fc.array(name, { minLength: 1, maxLength: 1 }) },
  { weight: 4, arbitrary: fc.array(name, { minLength: 2, maxLength: 2 }) },
  { weight: 2, arbitrary: fc.array(name, { minLength: 3, maxLength: 4 }) },
);
const common = fc
  .tuple(components, fc.constantFrom("/", "/", "/", "//"), fc.constantFrom("", "", "", "", "", "", "/", "//"))
  .map(([names, slash, end]) => names.join(slash) + end);

/** Relative paths. */
export const relative = common;
/** Absolute and relative ones, and those that are none. */
export const anyPath = fc.oneof(
  { weight: 12, arbitrary: common },
  { weight: 8, arbitrary: common.map((path) => `/${path}`) },
  { weight: 1, arbitrary: fc.constantFrom("", "/", "//", "a\0b", TOO_LONG, `${TOO_LONG}/a`, "a/".repeat(2100)) },
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
const size = fc.constantFrom(0, 1, 3, 7, 5000);
const text = fc.constantFrom("", "x", "hello", "y".repeat(4200));
const offset = fc.constantFrom(-1, -1, 0, 2, 4097);
const time = fc.record({ sec: fc.nat(9), nsec: fc.constantFrom(0, 5_000_000, UTIME_NOW, UTIME_OMIT) });
const oneOf = (...values) => fc.constantFrom(...values);
const bool = oneOf(false, false, true);

/**
 * Arbitraries of calls by name.
 * @param path, body of links; `dirfds`: whether calls may be relative to a descriptor; `modes` for what may be set
 */
function calls({ path, body, dirfds, sticky }) {
  const dirfd = dirfds ? fc.constantFrom(undefined, undefined, undefined, 3, 4, 5) : fc.constant(undefined);
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
    sysClose: { fd },
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
  sysUtimens: { dirfd, path, atime: time, mtime: time, nofollow: bool },
  sysFutimens: { fd, atime: time, mtime: time },
  sysMountNew: { path, readonly: bool, noexec: bool },
  bind: { path, path2: path, readonly: bool },
  move: { path, path2: path },
  sysUmount: { path, flags: oneOf(0, 0, MNT_DETACH, 4) },
});

const REAL = {
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
  const dirfd = fc.constantFrom(undefined, undefined, undefined, 3, 4, 5);
  const all = [
    ...arbitraries(calls({ path: anyPath, body: anyBody, dirfds: true, sticky: true })),
    ...arbitraries(ours({ path: anyPath, dirfd })),
  ];
  return fc
    .tuple(fc.oneof(...all), fc.nat(contexts - 1))
    .map(([call, ctx]) => ({ ...call, ctx: call.call === "sysChroot" ? contexts - 1 : ctx }));
}

/** Calls that node:fs has one for, with paths that never leave the directory of the run (see FLOOR). */
export function kernelCall(contexts) {
  const all = arbitraries(calls({ path: relative, body: relativeBody, dirfds: false, sticky: false }));
  return fc.tuple(fc.oneof(...all), fc.nat(contexts - 1)).map(([call, ctx]) => ({ ...call, ctx }));
}

/** So deep inside the run's directory that nothing leads out: 4 ".." of a path, and one of each of 40 links twice. */
export const FLOOR = "i/".repeat(4 + 40 * 2 + 1);

/** Something to begin with: the first calls would else meet nothing. */
export const PLANT = [
  ...["a", "a/a", "a/b", "b", "b/a"].map((path) => ({ call: "sysMkdir", path, mode: 0o777 })),
  ...["a/c", "b/b", "a/a/a"].flatMap((path) => [
    { call: "sysOpen", path, flags: O.CREAT | O.RDWR, mode: 0o666 },
    { call: "sysWrite", fd: 3, data: path },
    { call: "sysClose", fd: 3 },
  ]),
  { call: "sysSymlink", target: "a", path2: "c" },
  { call: "sysSymlink", target: "../a", path2: "b/c" },
];
