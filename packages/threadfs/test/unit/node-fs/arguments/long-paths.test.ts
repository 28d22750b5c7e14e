/**
 * Paths around the limit whose last characters have several bytes: a path is taken as a whole or refused, never cut. Node 24 and newer
 * write paths with Buffer.write(), which ends before a character that does not fit; on every host both writers are tried.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createVfs } from "../../../../dist/src/index.js";
import type { FsCalls } from "../../../support/fs-calls.js";

const CALLS: Readonly<Record<string, (fs: FsCalls, path: string) => unknown>> = {
  accessSync: (fs, path) => fs.accessSync(path),
  statSync: (fs, path) => fs.statSync(path).size,
  lstatSync: (fs, path) => fs.lstatSync(path).size,
  statfulOpen: (fs, path) => fs.closeSync(fs.openSync(path)),
  readFileSync: (fs, path) => fs.readFileSync(path, "utf8"),
  readlinkSync: (fs, path) => fs.readlinkSync(path),
  unlinkSync: (fs, path) => fs.unlinkSync(path),
  mkdirSync: (fs, path) => fs.mkdirSync(path),
  mkdirRecursive: (fs, path) => fs.mkdirSync(path, { recursive: true }),
  renameFrom: (fs, path) => fs.renameSync(path, "/new"),
  renameTo: (fs, path) => fs.renameSync("/other", path),
  linkTo: (fs, path) => fs.linkSync("/other", path),
  symlinkTo: (fs, path) => fs.symlinkSync("x", path),
  symlinkBody: (fs, path) => fs.symlinkSync(path, "/body"),
  copyFrom: (fs, path) => fs.copyFileSync(path, "/new"),
  opendirSync: (fs, path) => fs.opendirSync(path),
  rmSync: (fs, path) => fs.rmSync(path),
  mkdtempSync: (fs, path) => fs.mkdtempSync(path),
};

/** Longest path in bytes. */
const PATH_MAX = 4095;

/** A path that names /xy in its first `bytes` bytes. */
function filled(bytes: number): string {
  return `${"/".repeat(bytes - 2)}xy`;
}

/** Runs `work` as on a host whose Node has this version. */
async function asNode(version: string, work: () => Promise<void>): Promise<void> {
  const own = process.versions;
  Object.defineProperty(process, "versions", { value: { ...own, node: version }, configurable: true });
  try {
    await work();
  } finally {
    Object.defineProperty(process, "versions", { value: own, configurable: true });
  }
}

describe("paths with a character of several bytes across the limit", () => {
  for (const version of ["20.0.0", "26.0.0"]) {
    test(`are refused with ENAMETOOLONG by every call, written as on Node ${version}`, () =>
      asNode(version, async () => {
        const vfs = await createVfs({ maxBytes: 1 << 24 });
        const fs: FsCalls = vfs.fs;
        for (const name of ["/xy", "/other"]) fs.writeFileSync(name, "secret");
        for (const character of ["é", "語", "\u{1f600}"]) {
          for (let before = PATH_MAX - 4; before <= PATH_MAX; before++) {
            const path = filled(before) + character.repeat(4);
            const shown = `${before} bytes and ${character}`;
            assert.equal(fs.existsSync(path), false, shown);
            for (const [name, call] of Object.entries(CALLS)) {
              assert.throws(() => call(fs, path), { code: "ENAMETOOLONG" }, `${name}: ${shown}`);
            }
          }
        }
        assert.deepEqual(fs.readdirSync("/").sort(), ["other", "xy"]);
        vfs.close();
      }));

    test(`are found with up to ${PATH_MAX} bytes, written as on Node ${version}`, () =>
      asNode(version, async () => {
        const vfs = await createVfs({ maxBytes: 1 << 24 });
        const fs: FsCalls = vfs.fs;
        for (const name of ["é", "語", "\u{1f600}"]) {
          fs.writeFileSync(`/${name}`, "x");
          const bytes = Buffer.byteLength(name);
          for (let length = PATH_MAX - 5; length <= PATH_MAX; length++) {
            const path = "/".repeat(length - bytes) + name;
            assert.equal(fs.existsSync(path), true, `${length}: ${name}`);
            assert.equal(fs.statSync(path).size, 1);
            assert.equal(fs.lstatSync(path).size, 1);
            fs.accessSync(path);
          }
          assert.equal(fs.existsSync("/".repeat(PATH_MAX + 1 - bytes) + name), false);
        }
        vfs.close();
      }));
  }
});
