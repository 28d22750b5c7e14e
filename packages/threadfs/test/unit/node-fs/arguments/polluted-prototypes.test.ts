/**
 * Code of the same realm may have put options on Object.prototype: a call made with defaults does what node:fs does then.
 */
import { describe } from "node:test";
import { type FsCalls, unchecked } from "../../../support/fs-calls.js";
import { outcome } from "../../../support/oracle/works.js";
import { suite, type Work } from "../both.js";
import { OPTIONS, prepareTree, treeState } from "./polluted.js";

const { sameEach } = suite(import.meta.url, () => {});

type Call = (fs: FsCalls, dir: string, fd: number) => unknown;

/** Calls with defaults; those that take an options object also with an empty one. */
const CALLS: Readonly<Record<string, Call>> = {
  accessSync: (fs, dir) => fs.accessSync(`${dir}/missing`),
  appendFileSync: (fs, dir) => fs.appendFileSync(`${dir}/f`, "more"),
  "appendFileSync {}": (fs, dir) => fs.appendFileSync(`${dir}/f`, "more", {}),
  "appendFileSync utf8": (fs, dir) => fs.appendFileSync(`${dir}/f`, "more", "utf8"),
  copyFileSync: (fs, dir) => fs.copyFileSync(`${dir}/f`, `${dir}/new`),
  cpSync: (fs, dir) => fs.cpSync(`${dir}/f`, `${dir}/new`),
  "cpSync {}": (fs, dir) => fs.cpSync(`${dir}/f`, `${dir}/new`, {}),
  existsSync: (fs, dir) => fs.existsSync(`${dir}/f`),
  fstatSync: (fs, _dir, fd) => typeof fs.fstatSync(fd).size,
  "fstatSync {}": (fs, _dir, fd) => typeof fs.fstatSync(fd, {}).size,
  globSync: (fs, dir) => JSON.stringify(unchecked(fs).globSync(`${dir}/*`), ["name", "parentPath"]),
  "globSync {}": (fs, dir) => JSON.stringify(unchecked(fs).globSync(`${dir}/*`, {}), ["name", "parentPath"]),
  lstatSync: (fs, dir) => typeof fs.lstatSync(`${dir}/l`).size,
  "lstatSync {}": (fs, dir) => typeof fs.lstatSync(`${dir}/missing`, {})?.size,
  mkdirSync: (fs, dir) => fs.mkdirSync(`${dir}/new/below`),
  "mkdirSync {}": (fs, dir) => fs.mkdirSync(`${dir}/new/below`, {}),
  mkdtempSync: (fs, dir) => typeof fs.mkdtempSync(`${dir}/new`),
  openSync: (fs, dir) => fs.closeSync(fs.openSync(`${dir}/f`)),
  opendirSync: (fs, dir) => {
    const dir_ = fs.opendirSync(`${dir}/d`);
    try {
      return JSON.stringify(dir_.readSync());
    } finally {
      dir_.closeSync();
    }
  },
  readSync: (fs, _dir, fd) => {
    const bytes = Buffer.alloc(8, ".");
    return [fs.readSync(fd, bytes), bytes];
  },
  "readSync {}": (fs, _dir, fd) => {
    const bytes = Buffer.alloc(8, ".");
    return [fs.readSync(fd, bytes, {}), bytes];
  },
  "readSync null": (fs, _dir, fd) => {
    const bytes = Buffer.alloc(8, ".");
    return [unchecked(fs).readSync(fd, bytes, null), bytes];
  },
  readdirSync: (fs, dir) => fs.readdirSync(dir),
  "readdirSync {}": (fs, dir) => JSON.stringify(fs.readdirSync(dir, {}), ["name", "parentPath"]),
  "readdirSync utf8": (fs, dir) => JSON.stringify(fs.readdirSync(dir, "utf8"), ["name", "parentPath"]),
  readFileSync: (fs, dir) => fs.readFileSync(`${dir}/f`),
  "readFileSync {}": (fs, dir) => fs.readFileSync(`${dir}/f`, {}),
  "readFileSync latin1": (fs, dir) => fs.readFileSync(`${dir}/f`, "latin1"),
  readlinkSync: (fs, dir) => fs.readlinkSync(`${dir}/l`),
  "readlinkSync {}": (fs, dir) => fs.readlinkSync(`${dir}/l`, {}),
  realpathSync: (fs, dir) => fs.realpathSync(`${dir}/l`),
  rmSync: (fs, dir) => fs.rmSync(`${dir}/d`),
  "rmSync {}": (fs, dir) => fs.rmSync(`${dir}/d`, {}),
  "rmSync of nothing": (fs, dir) => fs.rmSync(`${dir}/missing`),
  rmdirSync: (fs, dir) => fs.rmdirSync(`${dir}/e`),
  "rmdirSync {}": (fs, dir) => fs.rmdirSync(`${dir}/d`, {}),
  statSync: (fs, dir) => typeof fs.statSync(`${dir}/f`).size,
  "statSync of nothing": (fs, dir) => fs.statSync(`${dir}/missing`),
  "statSync {}": (fs, dir) => typeof fs.statSync(`${dir}/missing`, {})?.size,
  symlinkSync: (fs, dir) => fs.symlinkSync("x", `${dir}/new`),
  truncateSync: (fs, dir) => fs.truncateSync(`${dir}/f`),
  writeSync: (fs, _dir, fd) => fs.writeSync(fd, Buffer.from("xyz")),
  "writeSync {}": (fs, _dir, fd) => unchecked(fs).writeSync(fd, Buffer.from("xyz"), {}),
  "writeSync null": (fs, _dir, fd) => unchecked(fs).writeSync(fd, Buffer.from("xyz"), null),
  writeFileSync: (fs, dir) => fs.writeFileSync(`${dir}/new`, "x"),
  "writeFileSync {}": (fs, dir) => fs.writeFileSync(`${dir}/new`, "x", {}),
  "writeFileSync of bytes": (fs, dir) => fs.writeFileSync(`${dir}/f`, Buffer.from("x")),
};

/** Makes a call with properties of a prototype, and takes them away again. */
function polluted(prototype: object, properties: PropertyDescriptorMap, call: () => unknown): unknown {
  Object.defineProperties(prototype, properties);
  try {
    return call();
  } finally {
    for (const key of Reflect.ownKeys(properties)) Reflect.deleteProperty(prototype, key);
  }
}

function tryIn(fs: FsCalls, dir: string, call: Call, prototype: object, properties: PropertyDescriptorMap): unknown {
  const fd = prepareTree(fs, dir);
  let caught: unknown;
  let value: unknown;
  polluted(prototype, properties, () => {
    try {
      value = call(fs, dir, fd);
    } catch (error) {
      caught = error;
    }
  });
  const done = outcome(() => {
    if (caught !== undefined) throw caught;
    return value;
  });
  fs.closeSync(fd);
  return [done.thrown === undefined ? done : done.thrown.split(":")[0], treeState(fs, dir)];
}

function onAll(call: Call): Work {
  return (fs, dir) =>
    Object.fromEntries(
      Object.entries(OPTIONS).map(([key, value]) => {
        const property = { value, enumerable: true, configurable: true, writable: true };
        return [key, tryIn(fs, `${dir}/${key}`, call, Object.prototype, { [key]: property })];
      }),
    );
}

describe("options on Object.prototype count as in node:fs", () => {
  for (const [name, call] of Object.entries(CALLS)) sameEach(name, onAll(call));
});
