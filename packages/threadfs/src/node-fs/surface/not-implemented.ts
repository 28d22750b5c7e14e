/**
 * The exports of `node:fs` that a tree does not have yet. Libraries that are given a file system fill what is missing in it from
 * `node:fs`, and then read the real disk without a word. So every missing export is here, and throws.
 */
import { bare } from "../../errors/bare.js";
import { codedError } from "../../errors/errors.js";
import { constants } from "../constants.js";

/** Forms with a callback, each of which has a synchronous form. */
const CALLBACKS = [
  "access",
  "appendFile",
  "chmod",
  "chown",
  "close",
  "copyFile",
  "cp",
  "exists",
  "fchmod",
  "fchown",
  "fdatasync",
  "fstat",
  "fsync",
  "ftruncate",
  "futimes",
  "lchown",
  "link",
  "lstat",
  "lutimes",
  "mkdir",
  "mkdtemp",
  "open",
  "opendir",
  "read",
  "readdir",
  "readFile",
  "readlink",
  "realpath",
  "rename",
  "rm",
  "rmdir",
  "stat",
  "symlink",
  "truncate",
  "unlink",
  "utimes",
  "write",
  "writeFile",
] as const;

/** Calls and classes of which a tree has no form. */
const OTHERS = [
  "createReadStream",
  "createWriteStream",
  "FileReadStream",
  "FileWriteStream",
  "glob",
  "globSync",
  "openAsBlob",
  "openAsBlobSync",
  "ReadStream",
  "readv",
  "statfs",
  "unwatchFile",
  "Utf8Stream",
  "watch",
  "watchFile",
  "WriteStream",
  "writev",
] as const;

/** Promise forms of `fs.promises`; all others have the names of callback forms. */
const PROMISES = ["glob", "lchmod", "mkdtempDisposable", "statfs", "watch"] as const;
/** Callback forms that `fs.promises` has not: there, they are methods of a FileHandle. */
const OF_HANDLES = new Set<string>([
  "close",
  "exists",
  "fchmod",
  "fchown",
  "fdatasync",
  "fstat",
  "fsync",
  "ftruncate",
  "futimes",
  "read",
  "write",
]);

/** Names of `node:fs` that throw ERR_METHOD_NOT_IMPLEMENTED here. */
export type MissingName = (typeof CALLBACKS)[number] | (typeof OTHERS)[number] | "promises";

function notImplemented(name: string, instead: string | undefined): Error & { code: string } {
  const advice = instead === undefined ? "" : `; use ${instead}()`;
  const message = `The ${name}() method is not implemented: a tree of threadfs has the synchronous calls${advice}`;
  return codedError(Error, "ERR_METHOD_NOT_IMPLEMENTED", message);
}

/** A function that can be called and constructed, and throws. */
function stub(name: string, instead?: string): () => never {
  function refuse(): never {
    throw notImplemented(name, instead);
  }
  return Object.defineProperty(refuse, "name", bare({ value: name, configurable: true }));
}

function promiseStub(name: string, instead: string | undefined): () => Promise<never> {
  const refuse = async (): Promise<never> => {
    throw notImplemented(`promises.${name}`, instead);
  };
  return Object.defineProperty(refuse, "name", bare({ value: name, configurable: true }));
}

type Stubs = { readonly [name in MissingName]: never };

/** Synchronous calls among the missing exports. */
export const MISSING_CALLS: readonly string[] = /* @__PURE__ */ OTHERS.filter((name) => name.endsWith("Sync"));

let made: Stubs | undefined;

/** The missing exports, the same for every tree. */
export function missingExports(): Stubs {
  if (made !== undefined) return made;
  const stubs: Record<string, unknown> = {};
  const promises: Record<string, unknown> = { constants };
  for (const name of CALLBACKS) {
    stubs[name] = stub(name, `${name}Sync`);
    if (!OF_HANDLES.has(name)) promises[name] = promiseStub(name, `${name}Sync`);
  }
  for (const name of OTHERS) stubs[name] = stub(name);
  for (const name of PROMISES) promises[name] = promiseStub(name, undefined);
  const value = stub("realpath.native", "realpathSync.native");
  Object.defineProperty(stubs.realpath, "native", bare({ value, enumerable: true }));
  made = { ...stubs, promises } as unknown as Stubs;
  return made;
}
