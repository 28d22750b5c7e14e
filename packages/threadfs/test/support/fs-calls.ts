/** The calls of node:fs that a tree has too: the type of everything that the tests run on both. */
import type * as NodeFs from "node:fs";
import type { FsSync } from "../../dist/src/index.js";

type Classes = "Stats" | "Dirent" | "Dir";

/**
 * The synchronous calls and the constants, as `node:fs` and as the `fs` of a tree have them, with Node's types: the suites compile only
 * if those of the library are assignable to them.
 */
export type FsCalls = Omit<
  Pick<typeof NodeFs, keyof FsSync & keyof typeof NodeFs>,
  Classes | "constants" | "openSync"
> & {
  /** Node's types ask for flags, its call does not. */
  openSync(path: NodeFs.PathLike, flags?: NodeFs.OpenMode, mode?: NodeFs.Mode | null): number;
  readonly constants: { readonly [name in keyof FsSync["constants"] & keyof typeof NodeFs.constants]: number };
};

/** Names of the calls: all that end in "Sync". The types of Node 20 do not have the last one. */
export type CallName = Extract<keyof FsCalls, `${string}Sync`> | "globSync";

/** The same calls without the types of their parameters. */
export type UncheckedCalls = { readonly [name in CallName]: (...args: readonly unknown[]) => unknown };

/** The calls of `fs` for tests of wrong arguments: they take arguments of any type, and any number of them. */
export function unchecked(fs: FsCalls): UncheckedCalls {
  return fs as unknown as UncheckedCalls;
}
