/** The object `fs` itself: it has every name that node:fs has, so that no library fills one in from node:fs. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import type { FsCalls } from "../../support/fs-calls.js";
import { suite } from "./both.js";

const { same } = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "x");
});

/** Names that one side has for itself, or that have no value on Linux. */
const NOT_THERE = new Set(["notCloneable", "lchmod", "lchmodSync", "F_OK", "R_OK", "W_OK", "X_OK", "default"]);

/** Classes, and what has no value on Linux. */
const NO_CALLS = ["Stats", "Dirent", "Dir", "lchmod", "lchmodSync"];

/** Names and numbers of parameters of functions. */
function shapes(exports: object, without: readonly string[]): object {
  const calls = Object.entries(exports).filter(([name, call]) => typeof call === "function" && !without.includes(name));
  calls.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(calls.map(([name, call]: [string, () => void]) => [name, [call.name, call.length]]));
}

describe("the exports of a tree", () => {
  same("have the names of node:fs", (fs) =>
    Object.keys(fs)
      .filter((name) => !NOT_THERE.has(name))
      .sort(),
  );

  same("are functions with the names and lengths of Node's", (fs) => shapes(fs, NO_CALLS));

  same("have the promises of Node, with its names and lengths", (fs) =>
    shapes((fs as unknown as { promises: object }).promises, []),
  );

  same("have promises as an own enumerable property", (fs) => {
    const { enumerable, configurable } = Object.getOwnPropertyDescriptor(fs, "promises") ?? {};
    return [enumerable, configurable, Object.keys(fs).includes("promises")];
  });

  same("have Node's realpathSync.native", ({ realpathSync: { native } }: FsCalls) => [native.name, native.length]);

  same("have Node's constants, in its order, without a prototype", ({ constants }: FsCalls) => [
    Object.entries(constants).map(([name, value]) => `${name} ${value}`),
    Object.getPrototypeOf(constants),
    Object.isFrozen(constants),
    Object.isExtensible(constants),
  ]);

  same("have constants that no program can change for another one", (fs) => {
    const { constants, promises } = fs as unknown as { constants: Record<string, number>; promises: object };
    const shape = (object: object, key: string) => {
      const { value: _, ...flags } = Object.getOwnPropertyDescriptor(object, key) ?? {};
      return flags;
    };
    const changed = Reflect.set(constants, "O_APPEND", 0);
    return [
      shape(fs, "constants"),
      shape(promises, "constants"),
      shape(constants, "O_APPEND"),
      changed,
      constants.O_APPEND,
    ];
  });

  same("can be replaced, hidden and added to as Node's: programs that patch or mock fs do so", (fs) => {
    const { promises } = fs as unknown as { promises: object };
    const flags = (object: object) => {
      const named = Object.entries(Object.getOwnPropertyDescriptors(object)).filter(([name]) => !NOT_THERE.has(name));
      const rows = named.map(([name, { get, set, writable, enumerable, configurable }]) => {
        return [name, typeof get, typeof set, writable, enumerable, configurable].join(" ");
      });
      return [rows.sort(), Object.isExtensible(object), Object.getPrototypeOf(object) === Object.prototype];
    };
    return [flags(fs), flags(promises)];
  });

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

  // Taken out: the two assignments in withStreams() (Object.assign() in their place): each `fs.existsSync` then takes 5 ns more of 120.
  test("are an object with fast properties in V8", () => {
    const index = new URL("../../../dist/src/index.js", import.meta.url);
    const program = `const { createVfs } = await import("${index}");
      const vfs = await createVfs({ maxBytes: 4 << 20 });
      console.log(%HasFastProperties(vfs.fs));
      vfs.close();`;
    const args = ["--allow-natives-syntax", "--input-type=module", "-e", program];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.deepEqual([status, stdout], [0, "true\n"]);
  });
});
