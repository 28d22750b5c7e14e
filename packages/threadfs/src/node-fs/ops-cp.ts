/** `cp` (https://nodejs.org/api/fs.html#fscpsyncsrc-dest-options). */
import type * as NodeFs from "node:fs";
import { codedError, invalidArgType } from "../errors/errors.js";
import { toBoolean, toCallMode, toCopyMode, toObject, toPath } from "./args.js";
import { Copy, type CopyArguments } from "./copy/copy.js";
import { type Steps, stepwise } from "./operation.js";

type PathLike = NodeFs.PathLike;

const FLAGS = ["dereference", "errorOnExist", "force", "preserveTimestamps", "recursive", "verbatimSymlinks"] as const;
const DEFAULTS = {
  dereference: false,
  errorOnExist: false,
  filter: undefined,
  force: true,
  preserveTimestamps: false,
  recursive: false,
  verbatimSymlinks: false,
};

export const cp = stepwise(
  (source: PathLike, destination: PathLike, options?: NodeFs.CopySyncOptions): CopyArguments => {
    const given: Record<string, unknown> =
      options === undefined ? DEFAULTS : { ...DEFAULTS, ...toObject(options, "options") };
    for (const name of FLAGS) toBoolean(given[name], `options.${name}`);
    const flags = given as Pick<CopyArguments, (typeof FLAGS)[number] | "filter">;
    // As in Node, the mode of no options is one that Object.prototype may have.
    const mode = options === undefined ? toCallMode(given.mode) : toCopyMode(given.mode);
    if (flags.dereference && flags.verbatimSymlinks) {
      const message = 'Option "dereference" cannot be used in combination with option "verbatimSymlinks"';
      throw codedError(TypeError, "ERR_INCOMPATIBLE_OPTION_PAIR", message);
    }
    if (flags.filter !== undefined && typeof flags.filter !== "function") {
      throw invalidArgType("options.filter", "of type function", flags.filter);
    }
    return { ...flags, mode, awaits: false, src: toPath(source, "src"), dest: toPath(destination, "dest") };
  },
  (calls, args): Steps<void> => new Copy(calls, args).run(),
);

/** The arguments of the asynchronous forms, whose filter may return promises. */
export function awaitingCp(...args: Parameters<typeof cp.parse>): CopyArguments {
  return { ...cp.parse(...args), awaits: true };
}
