/** Names and numbers of parameters of the functions of a surface, as Node's have them. */

import { bare } from "../../errors/bare.js";

/** The calls by the number of their parameters; all others have one. */
const LENGTHS: Readonly<Record<number, string>> = {
  0: "Utf8Stream",
  2:
    "accessSync chmodSync fchmodSync linkSync mkdirSync mkdtempDisposableSync mkdtempSync opendirSync readFileSync readdirSync readlinkSync " +
    "realpathSync renameSync rmSync rmdirSync truncateSync globSync createReadStream createWriteStream exists fdatasync fsync unlink " +
    "unwatchFile ReadStream WriteStream FileReadStream FileWriteStream",
  3:
    "appendFileSync chownSync copyFileSync cpSync fchownSync futimesSync lchownSync lutimesSync openSync readvSync symlinkSync utimesSync " +
    "writeFileSync writevSync access chmod fchmod glob link mkdir mkdtemp opendir readdir readFile readlink realpath rename rm rmdir " +
    "truncate watch watchFile",
  4: "appendFile chown copyFile cp fchown futimes lchown lutimes open readv symlink utimes writeFile writev",
  5: "readSync writeSync",
  6: "read write",
};

/** The same of `fs.promises`. */
const PROMISE_LENGTHS: Readonly<Record<number, string>> = {
  2: "glob rename rm rmdir mkdir readdir readlink link chmod lchmod realpath mkdtemp mkdtempDisposable readFile",
  3: "copyFile cp open opendir symlink lchown chown utimes lutimes writeFile appendFile",
};

function lengthsOf(table: Readonly<Record<number, string>>): ReadonlyMap<string, number> {
  const rows = Object.entries(table).map(([length, names]) =>
    names.split(" ").map((name) => [name, Number(length)] as const),
  );
  return new Map(rows.flat());
}

let lengths: ReadonlyMap<string, number> | undefined;
let promiseLengths: ReadonlyMap<string, number> | undefined;

/** One for all: a surface has some 200 of them, and is made for every context. */
const property: PropertyDescriptor = /* @__PURE__ */ bare({ value: undefined as unknown, configurable: true });

function rename(call: object, name: string, length: number): void {
  property.value = name;
  Object.defineProperty(call, "name", property);
  property.value = length;
  Object.defineProperty(call, "length", property);
}

/** Gives the calls of a surface their names. Returns it. */
export function named<S extends object>(surface: S): S {
  lengths ??= lengthsOf(LENGTHS);
  for (const [name, call] of Object.entries(surface)) {
    if (typeof call === "function" && !/^[A-Z_]/.test(name)) rename(call, name, lengths.get(name) ?? 1);
  }
  const { realpath, realpathSync } = surface as { [name: string]: { native?: object } | undefined };
  // Node's are arrow functions that are assigned to a property, which gives them no name.
  if (realpathSync?.native !== undefined) rename(realpathSync.native, "", 2);
  if (realpath?.native !== undefined) rename(realpath.native, "", 3);
  return surface;
}

/** The same for `fs.promises`. */
export function namedPromises<S extends object>(promises: S): S {
  promiseLengths ??= lengthsOf(PROMISE_LENGTHS);
  for (const [name, call] of Object.entries(promises)) {
    const given = name === "watch" ? "_watch" : name;
    if (typeof call === "function") rename(call, given, promiseLengths.get(name) ?? 1);
  }
  return promises;
}
