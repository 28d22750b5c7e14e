/** The classes of fs: Stats, BigIntStats, Dirent and Dir have the layout, prototypes and constructors of Node 26's. */

import type * as NodeFs from "node:fs";
import { describe } from "node:test";
import * as util from "node:util";
import type { FsCalls } from "../../support/fs-calls.js";
import { suite } from "./both.js";

const { same } = suite(import.meta.url, (fs, dir) => {
  fs.mkdirSync(`${dir}/d/below`, { recursive: true });
  fs.writeFileSync(`${dir}/d/f`, "12345");
  fs.symlinkSync("f", `${dir}/d/l`);
  fs.utimesSync(`${dir}/d/f`, 1700000000.123, 1700000000.5);
});

/** Name, kind and attributes of every own property, in order. */
function layout(object: object): string[] {
  return Reflect.ownKeys(object).map((key) => {
    const found = Object.getOwnPropertyDescriptor(object, key);
    const kinds = Object.entries(found ?? {}).map(([name, value]) =>
      typeof value === "boolean" ? `${name} ${value}` : `${name} is a ${typeof value}`,
    );
    // What Node 20 calls its own symbols.
    return `${String(key).replace("nodejs.", "Symbol.")}: ${kinds.join(", ")}`;
  });
}

function outcome(work: () => unknown): string {
  try {
    return inspect(work());
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    return `${name} ${code} ${message}`;
  }
}

/** A value as text, with symbols as Node 26 writes them in every version. */
function inspect(value: unknown): string {
  return util.inspect(value).replace(/\[(Symbol\([^)]*\))\]/g, "$1");
}

/** The classes, which the two sides have and the calls' own type has not. */
type Classes = Pick<typeof NodeFs, "Stats" | "Dirent" | "Dir">;
const classes = (fs: FsCalls) => fs as unknown as Classes;

/** Calls for arguments that the types rule out. */
type AnyConstructor = new (...args: unknown[]) => Record<string, unknown>;
const anyClass = (given: unknown) => given as AnyConstructor;

/** All enumerable names, inherited ones too, in order. */
function enumerable(object: object): string[] {
  const names: string[] = [];
  for (const name in object) names.push(name);
  return names;
}

describe("Stats", () => {
  for (const bigint of [false, true]) {
    const stats = (fs: FsCalls, dir: string) => fs.statSync(`${dir}/d/f`, { bigint });
    same(`properties and prototypes, bigint ${bigint}`, (fs, dir) => {
      const found = stats(fs, dir);
      const prototype = Object.getPrototypeOf(found);
      const base = Object.getPrototypeOf(prototype);
      return [
        layout(found),
        enumerable(found),
        layout(prototype),
        layout(base),
        [prototype.constructor.name, Object.getPrototypeOf(prototype.constructor).name],
        [found instanceof classes(fs).Stats, Object.prototype.toString.call(found)],
      ];
    });
    same(`inspected, copied and as JSON, bigint ${bigint}`, (fs, dir) => {
      const found = stats(fs, dir);
      const lines = inspect(found)
        .split("\n")
        .map((line) => line.split(":")[0]);
      return [lines, Object.keys(structuredClone(found)), bigint ? "" : Object.keys(JSON.parse(JSON.stringify(found)))];
    });
    same(`a date is a property once it was read, bigint ${bigint}`, (fs, dir) => {
      const found = stats(fs, dir);
      const { mtime } = found;
      return [mtime, found.mtime === mtime, layout(found)];
    });
  }
  same("the constructor takes Node's 18 numbers, with or without new", (fs) => {
    const Stats = anyClass(classes(fs).Stats);
    class Own extends Stats {}
    const numbers = [1, 0o100644, ...Array.from({ length: 16 }, (_, i) => i + 3)];
    return [
      [classes(fs).Stats.name, classes(fs).Stats.length],
      inspect(new Stats()),
      inspect(new Stats(...numbers)),
      [new Stats(...numbers) instanceof classes(fs).Stats, new Own(7).dev, new Own() instanceof Own],
      outcome(() => {
        const filled = {};
        Reflect.apply(classes(fs).Stats as unknown as () => void, filled, numbers);
        return filled;
      }),
      outcome(() => new Stats().mtime),
    ];
  });
});

describe("Dirent", () => {
  same("properties, prototype, text", (fs, dir) => {
    const entries = fs.readdirSync(`${dir}/d`, { withFileTypes: true });
    return entries.map((entry) => [
      layout(entry),
      inspect(entry).replaceAll(dir, ""),
      structuredClone(entry).name,
      layout(Object.getPrototypeOf(entry)),
      "path" in entry,
    ]);
  });
  same("the constructor takes a name, a type of UV_DIRENT_* and a path", (fs) => {
    const Dirent = anyClass(classes(fs).Dirent);
    const kinds = ["isDirectory", "isFile", "isSymbolicLink", "isFIFO", "isSocket"] as const;
    const shown = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((type) => {
      const entry = new Dirent() as Record<string, () => boolean>;
      return [
        inspect(new Dirent("n", type, "/p")),
        kinds.map((kind) => entry[kind]?.call(new Dirent("n", type, "/p"))),
      ];
    });
    return [classes(fs).Dirent.name, classes(fs).Dirent.length, inspect(new Dirent()), shown];
  });
  same("equals one that is made by hand", (fs, dir) => {
    const [below, file] = fs.readdirSync(`${dir}/d`, { withFileTypes: true });
    const Dirent = anyClass(classes(fs).Dirent);
    const made = new Dirent("f", 1, `${dir}/d`);
    return [util.isDeepStrictEqual(file, made), util.isDeepStrictEqual(below, made)];
  });
});

describe("Dir", () => {
  same("properties, prototype, text", (fs, dir) => {
    const open = fs.opendirSync(dir);
    const prototype = Object.getPrototypeOf(open);
    const functions = Object.getOwnPropertyNames(prototype).filter((name) => name !== "path");
    const shown = [
      layout(open),
      layout(prototype),
      functions.map((name) => [name, prototype[name].name, prototype[name].length]),
      [classes(fs).Dir.name, classes(fs).Dir.length, inspect(open)],
      prototype[Symbol.asyncIterator] === prototype.entries,
    ];
    open.closeSync();
    return shown;
  });
  same("looks at its arguments at once", (fs, dir) => {
    const Dir = anyClass(classes(fs).Dir);
    const open = fs.opendirSync(dir);
    const any = open as unknown as Record<string, (callback: unknown) => unknown>;
    const shown = [
      outcome(() => classes(fs).Dir.prototype.path),
      outcome(() => new Dir()),
      outcome(() => new Dir(null)),
      ...["x", null, 7, {}].flatMap((wrong) => [outcome(() => any.read?.(wrong)), outcome(() => any.close?.(wrong))]),
    ];
    open.closeSync();
    return [
      ...shown,
      outcome(() => any.read?.(() => {})),
      outcome(() => open.readSync()),
      outcome(() => open.closeSync()),
    ];
  });
  same("refuses synchronous calls while an asynchronous one is under way", (fs, dir) => {
    const open = fs.opendirSync(dir);
    open.read().catch(() => {});
    return [outcome(() => open.readSync()), outcome(() => open.closeSync())];
  });
});
