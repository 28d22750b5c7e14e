/** Drivers: a hook that returns what it may not return fails the call with an EIO that names hook and driver, and never is an empty result. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { S_IFDIR, S_IFLNK, S_IFREG } from "../../../dist/abi/abi.js";
import { createVfs, type Driver, type Vfs } from "../../../dist/src/index.js";

const ROOT = { ino: 1, mode: S_IFDIR | 0o777 };
const NODES: Readonly<Record<string, { ino: number; mode: number; size?: number }>> = {
  f: { ino: 2, mode: S_IFREG | 0o666, size: 3 },
  l: { ino: 3, mode: S_IFLNK | 0o777 },
  d: { ino: 4, mode: S_IFDIR | 0o777 },
};
const HOOKS: Driver = {
  name: "d",
  root: () => ROOT,
  lookup: (_dir, name) => NODES[name] ?? null,
  readdir: () => [],
  read: () => 0,
  write: (_node, _offset, data) => data.length,
  readlink: () => "f",
  create: () => ({ ino: 9, mode: S_IFDIR | 0o777 }),
  unlink: () => {},
  setattr: () => NODES.f ?? ROOT,
};

type Fs = Vfs["fs"];
type Result = () => unknown;

const later = (value?: unknown): Result => {
  return async () => value;
};

/** What the hook returns, the call that needs it, and what the message says of it. */
type Wrong = readonly [hook: keyof Driver, result: Result, says: string, call?: (fs: Fs) => unknown];

const CALLS: Partial<Record<keyof Driver, (fs: Fs) => unknown>> = {
  lookup: (fs) => fs.statSync("/m/f"),
  readdir: (fs) => fs.readdirSync("/m"),
  read: (fs) => fs.readFileSync("/m/f"),
  write: (fs) => fs.writeSync(fs.openSync("/m/f", "r+"), "abc"),
  readlink: (fs) => fs.readlinkSync("/m/l"),
  create: (fs) => fs.mkdirSync("/m/new"),
  unlink: (fs) => fs.unlinkSync("/m/f"),
  setattr: (fs) => fs.chmodSync("/m/f", 0o600),
  permission: (fs) => fs.accessSync("/m/f", 4),
  checkAcl: (fs) => fs.accessSync("/m/f", 4),
  revalidate: (fs) => [fs.statSync("/m/f"), fs.statSync("/m/f")],
};

const LENGTHS: readonly (readonly [Result, string])[] = [
  [() => undefined, "it returned undefined for a number of bytes"],
  [() => -1, "it returned -1 for a number of bytes"],
  [() => 1.5, "it returned 1.5 for a number of bytes"],
  [() => Number.NaN, "it returned NaN for a number of bytes"],
  [() => 3n, "it returned 3n for a number of bytes"],
  [() => 2 ** 40, "it returned 1099511627776 for a number of bytes"],
  [later(3), "it returned a promise"],
];

const WRONG: readonly Wrong[] = [
  ...LENGTHS.flatMap(([result, says]): readonly Wrong[] => [
    ["read", result, says],
    ["write", result, says],
    ["read", result, says, (fs) => fs.copyFileSync("/m/f", "/copy")],
    ["read", result, says, (fs) => fs.cpSync("/m/f", "/copy")],
  ]),
  ["readdir", later([]), "it returned a promise"],
  ["readdir", function* () {}, "for an array of entries"],
  ["readdir", () => undefined, "it returned undefined for an array of entries"],
  ["readdir", () => ({}), "it returned {} for an array of entries"],
  ["readdir", () => ({}), "it returned {} for an array of entries", (fs) => fs.cpSync("/m", "/c", { recursive: true })],
  ["readdir", () => ({}), "it returned {} for an array of entries", (fs) => fs.opendirSync("/m").readSync()],
  ["readlink", () => undefined, "it returned undefined for the text of a link"],
  ["readlink", () => new Uint8Array(1), "it returned Uint8Array(1) [ 0 ] for the text of a link"],
  ["readlink", () => "a\0b", "it returned 'a\\x00b' for the text of a link"],
  ["readlink", () => "a\0b", "it returned 'a\\x00b' for the text of a link", (fs) => fs.statSync("/m/l")],
  ["readlink", later("f"), "it returned a promise"],
  ["lookup", later(null), "it returned a promise"],
  ["lookup", () => 5, "it returned 5"],
  ["create", () => undefined, "it returned undefined"],
  ["create", later(ROOT), "it returned a promise"],
  ["setattr", () => undefined, "it returned undefined"],
  ["setattr", () => null, "it returned null"],
  // A promise that is fulfilled later would grant what is asked for, and remove nothing.
  ["permission", later(), "it returned a promise"],
  ["unlink", later(), "it returned a promise"],
  ["revalidate", later(true), "it returned a promise"],
];

for (const [n, [hook, result, says, call = CALLS[hook]]] of WRONG.entries()) {
  test(`${n} ${hook}: ${says}`, async () => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    vfs.registerDriver({ ...HOOKS, [hook]: result });
    vfs.fs.mkdirSync("/m");
    vfs.mount(null, "/m", "d");
    assert.throws(
      () => call?.(vfs.fs),
      (error: NodeJS.ErrnoException) => {
        assert.equal(error.code, "EIO");
        assert.ok(error.message.includes(`${hook}() of the driver "d" threw TypeError: `), error.message);
        assert.ok(error.message.includes(says), error.message);
        assert.ok(error.cause instanceof TypeError);
        return true;
      },
    );
    vfs.close();
  });
}

test("checkAcl: a promise grants nothing", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  vfs.registerDriver({ ...HOOKS, checkAcl: later(true) as unknown as NonNullable<Driver["checkAcl"]> });
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "d");
  const { fs } = vfs.context({ uid: 1000, gid: 1000, groups: [] });
  assert.throws(() => fs.readFileSync("/m/f"), { code: "EIO", message: /checkAcl\(\) of the driver "d" threw/ });
  vfs.close();
});

test("root: a result that is none fails the mount", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  vfs.fs.mkdirSync("/m");
  for (const [n, result] of [() => undefined, () => null, later(ROOT)].entries()) {
    vfs.registerDriver({ name: `d${n}`, root: result as unknown as Driver["root"] });
    assert.throws(() => vfs.mount(null, "/m", `d${n}`), { code: "EIO", message: /root\(\) of the driver/ });
  }
  vfs.close();
});
