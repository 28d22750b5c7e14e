/** The object `fs` itself: it has every name that node:fs has, so that no library fills one in from node:fs. */
import assert from "node:assert/strict";
import nodeFs from "node:fs";
import { describe, test } from "node:test";
import type { FsCalls } from "../../support/fs-calls.js";
import { suite } from "./both.js";

const tree = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "x");
});
const { same } = tree;

/** Names that `node:fs` has for itself, or that have no value on Linux. */
const NOT_THERE = new Set(["_toUnixTimestamp", "lchmod", "lchmodSync", "F_OK", "R_OK", "W_OK", "X_OK", "default"]);

type AnyExports = Readonly<Record<string, unknown>>;

/** What a call did that is not implemented. */
async function codeOf(call: unknown): Promise<unknown> {
  assert.equal(typeof call, "function");
  try {
    await (call as (...args: unknown[]) => unknown)("/f", {}, () => {});
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
  return "returned";
}

describe("the exports of a tree", () => {
  same("have the names of node:fs", (fs) =>
    Object.keys(fs)
      .filter((name) => !NOT_THERE.has(name))
      .sort(),
  );

  same("are functions with the names and lengths of Node's", (fs) => {
    const calls = Object.entries(fs as unknown as AnyExports).filter(([name]) => name.endsWith("Sync"));
    return Object.fromEntries(
      calls
        .filter(([name, call]) => typeof call === "function" && !/^(?:glob|openAsBlob|mkdtempDisposable)/.test(name))
        .map(([name, call]) => [name, [(call as () => void).name, (call as () => void).length]])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    );
  });

  same("have Node's realpathSync.native", ({ realpathSync: { native } }: FsCalls) => [native.name, native.length]);

  same("have Node's constants, in its order, without a prototype", ({ constants }: FsCalls) => [
    Object.entries(constants).map(([name, value]) => `${name} ${value}`),
    Object.getPrototypeOf(constants),
    Object.isFrozen(constants),
  ]);

  same("emit Node's warnings once", (fs, dir) => {
    const { emitWarning } = process;
    const warnings: unknown[] = [];
    process.emitWarning = (...args: unknown[]) => {
      warnings.push(args);
    };
    try {
      for (let i = 0; i < 2; i++) {
        (fs.existsSync as (path: unknown) => boolean)(5);
        fs.existsSync("a\0b");
        fs.mkdtempSync(`${dir}/fooX`);
        fs.mkdtempSync(`${dir}/foo`);
      }
    } finally {
      process.emitWarning = emitWarning;
    }
    return warnings;
  });
});

describe("exports that are not implemented", () => {
  const ours = () => tree.vfs.fs as unknown as AnyExports;
  const working = (name: string) => name.endsWith("Sync") && !/^(?:glob|openAsBlob|mkdtempDisposable)Sync$/.test(name);

  test("throw ERR_METHOD_NOT_IMPLEMENTED, in every form that has a callback, a stream or a watcher", async () => {
    for (const [name, theirs] of Object.entries(nodeFs)) {
      if (NOT_THERE.has(name) || working(name) || typeof theirs !== "function") continue;
      if (["Stats", "Dirent", "Dir"].includes(name)) continue;
      assert.equal(await codeOf(ours()[name]), "ERR_METHOD_NOT_IMPLEMENTED", name);
    }
  });

  test("name the synchronous form", () => {
    const { readFile } = ours() as { readFile(): void };
    assert.throws(readFile, { message: /The readFile\(\) method is not implemented.*readFileSync\(\)/ });
  });

  test("reject where node:fs returns promises", async () => {
    const promises = ours().promises as AnyExports;
    for (const [name, theirs] of Object.entries(nodeFs.promises)) {
      if (typeof theirs !== "function") continue;
      const call = promises[name];
      assert.equal(typeof call, "function", name);
      const result: unknown = (call as () => unknown)();
      assert.ok(result instanceof Promise, name);
      await assert.rejects(result, { code: "ERR_METHOD_NOT_IMPLEMENTED" }, name);
    }
    assert.equal(promises.constants, tree.vfs.fs.constants);
  });

  test("cannot be called by their types", () => {
    // @ts-expect-error: the type of a missing export is never.
    assert.throws(() => tree.vfs.fs.readFile("/f", () => {}), { code: "ERR_METHOD_NOT_IMPLEMENTED" });
  });

  test("are constructed in vain", () => {
    const { ReadStream } = ours() as { ReadStream: new (path: string) => unknown };
    assert.throws(() => new ReadStream("/f"), { code: "ERR_METHOD_NOT_IMPLEMENTED" });
  });
});
