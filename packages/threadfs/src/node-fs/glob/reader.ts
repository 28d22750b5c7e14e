/** What a walk asks the tree, with a memory for one call. Whatever cannot be read is not there: a glob has no errors of the file system. */
import { AT_SYMLINK_NOFOLLOW } from "../../../abi/flags.js";
import { DT_SHIFT } from "../../../abi/mode.js";
import * as STAT from "../../../abi/stat.js";
import { ignoreError } from "../../errors/errors.js";
import { constants } from "../constants.js";
import { Dirent, direntType } from "../directory/dirent.js";
import { direntOf, listDirectory } from "../directory/entries.js";
import { type Step, type Steps, step } from "../operation.js";
import { realpathByText } from "../paths/realpath.js";
import type { SystemCalls } from "../system-calls.js";

const { S_IFMT, S_IFDIR } = constants;

/** The questions of a walk, each a step that may have to wait. Paths that are not absolute begin at the working directory. */
export interface GlobReader {
  cwd(): Step<string>;
  /** What a path is, without following a link at its end. */
  entry(path: string): Steps<Dirent | null>;
  /** From now on the answer of {@link entry} for a path. */
  remember(path: string, entry: Dirent): void;
  isDirectory(path: string): Steps<boolean>;
  list(path: string): Steps<readonly Dirent[]>;
  realpath(path: string): Steps<string | null>;
}

/** The name at the end of a path, and the path before it, as `node:path` has them. */
function split(path: string): [name: string, parent: string] {
  let end = path.length;
  while (end > 1 && path[end - 1] === "/") end--;
  const slash = path.lastIndexOf("/", end - 1);
  if (slash === -1) return [path.slice(0, end), "."];
  let before = slash;
  while (before > 1 && path[before - 1] === "/") before--;
  return [path.slice(slash + 1, end), path.slice(0, Math.max(before, 1))];
}

/** The result of a call, or undefined if it failed with an error of the file system. Others, as of a closed tree, are thrown. */
function unlessFailed<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    ignoreError(error);
    return undefined;
  }
}

/** A reader of the tree in one context. */
export class TreeReader implements GlobReader {
  readonly #calls: SystemCalls;
  readonly #entries = new Map<string, Dirent>();
  readonly #directories = new Map<string, boolean>();
  readonly #lists = new Map<string, readonly Dirent[]>();
  readonly #realpaths = new Map<string, string>();

  constructor(calls: SystemCalls) {
    this.#calls = calls;
  }

  cwd(): Step<string> {
    return step(this.#calls, () => this.#calls.cwd());
  }

  /** The attributes of a path, in the scratch area. Returns whether there are any. */
  *#stat(path: string, flags: number): Steps<boolean> {
    return (yield* step(this.#calls, () => this.#calls.statRaw(path, flags))) === 0;
  }

  get #mode(): number {
    return this.#calls.attachment.stat[STAT.mode] as number;
  }

  *entry(path: string): Steps<Dirent | null> {
    const known = this.#entries.get(path);
    if (known !== undefined) return known;
    if (!(yield* this.#stat(path, AT_SYMLINK_NOFOLLOW))) return null;
    const [name, parent] = split(path);
    const entry = new Dirent(name, direntType(this.#mode >> DT_SHIFT), parent);
    this.#entries.set(path, entry);
    return entry;
  }

  remember(path: string, entry: Dirent): void {
    this.#entries.set(path, entry);
  }

  *isDirectory(path: string): Steps<boolean> {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    if (!(yield* this.#stat(path, 0))) return false;
    const isDirectory = (this.#mode & S_IFMT) === S_IFDIR;
    this.#directories.set(path, isDirectory);
    return isDirectory;
  }

  *list(path: string): Steps<readonly Dirent[]> {
    const known = this.#lists.get(path);
    if (known !== undefined) return known;
    const calls = this.#calls;
    const list = () => listDirectory(calls, path).map((entry) => direntOf(calls, path, entry, "utf8") as Dirent);
    const entries = (yield* step(calls, () => unlessFailed(list))) ?? [];
    this.#lists.set(path, entries);
    return entries;
  }

  *realpath(path: string): Steps<string | null> {
    const known = this.#realpaths.get(path);
    if (known !== undefined) return known;
    const real = yield* step(this.#calls, () => unlessFailed(() => realpathByText(this.#calls, path)));
    if (real === undefined) return null;
    this.#realpaths.set(path, real);
    return real;
  }
}
