/**
 * What a case of the conformance suite is. Each table in cases/ is an array of them; harness.ts runs every case on both
 * sides and compares.
 */
import type { FsCalls, UncheckedCalls } from "../../support/fs-calls.js";
import type { ErrorField, Outcome } from "./outcome.js";

/** Effective credentials. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** A file or, where the name ends in a slash, a directory; `link` makes a hard link to another entry. */
export interface EntrySpec {
  readonly data?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly link?: string;
}

/**
 * A tree by its paths: `{ "d/": 0o755, f: "contents", l: ["body of a symlink"], h: { link: "f" } }`. The value of a
 * directory is its mode or null.
 */
export type TreeSpec = Readonly<Record<string, string | number | null | readonly [body: string] | EntrySpec>>;

/** What `setup` and `run` of a case work with. */
export interface Tools {
  readonly fs: FsCalls;
  /** The calls of `fs` for arguments that their types rule out. */
  readonly unchecked: UncheckedCalls;
  /** The case's own directory. */
  readonly dir: string;
  /** A path in the case's directory. */
  p(name: string): string;
  /** The outcome of a call as part of what `run` returns. */
  out(fn: () => unknown): Outcome;
  /** Makes the tree below the case's directory. */
  tree(spec: TreeSpec): void;
}

export type Step = (t: Tools) => unknown;

export interface Case {
  /** Title of the case's subtest; unique in its table. */
  readonly name: string;
  /** Makes what the case needs, with the credentials of the process. */
  readonly setup?: Step;
  /** What is compared: the value or the error of this function, and then the listing of the case's directory. */
  readonly run: Step;
  /** Working directory of `run`, relative to the case's directory; "" is that directory itself. */
  readonly cwd?: string;
  /** Umask of `run`. */
  readonly umask?: number;
  /** Credentials of `run`; on the kernel a child process takes them. */
  readonly as?: Credentials;
  /** The fields of an error that are compared, where versions of Node differ in the others. */
  readonly only?: readonly ErrorField[];
  /** A setup that runs once for all cases that name this function; their `run` must not change the tree. */
  readonly shared?: Step;
  /** The case needs root (chown and the like). */
  readonly root?: boolean;
}
