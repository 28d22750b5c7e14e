/** `cp` (https://nodejs.org/api/fs.html#fscpsyncsrc-dest-options). */
import type * as NodeFs from "node:fs";
import { codedError, invalidArgType } from "../errors/errors.js";
import { toBoolean, toCallMode, toCopyMode, toObject, toPath } from "./args.js";
import { Copy } from "./copy/copy.js";
import { LaterCopy } from "./copy/later.js";
import type { CopyArguments } from "./copy/steps.js";
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

type Given = [source: PathLike, destination: PathLike, options?: NodeFs.CopySyncOptions];

/** @param modeOfNone the mode where no options are given */
function cpArguments([source, destination, options]: Given, modeOfNone: () => number): CopyArguments {
  const given: Record<string, unknown> =
    options === undefined ? DEFAULTS : { ...DEFAULTS, ...toObject(options, "options") };
  for (const name of FLAGS) toBoolean(given[name], `options.${name}`);
  const flags = given as Pick<CopyArguments, (typeof FLAGS)[number] | "filter">;
  const mode = options === undefined ? modeOfNone() : toCopyMode(given.mode);
  if (flags.dereference && flags.verbatimSymlinks) {
    const message = 'Option "dereference" cannot be used in combination with option "verbatimSymlinks"';
    throw codedError(TypeError, "ERR_INCOMPATIBLE_OPTION_PAIR", message);
  }
  if (flags.filter !== undefined && typeof flags.filter !== "function") {
    throw invalidArgType("options.filter", "of type function", flags.filter);
  }
  return { ...flags, mode, src: toPath(source, "src"), dest: toPath(destination, "dest") };
}

export const cp = stepwise(
  (...given: Given): CopyArguments => {
    // As in Node, it is one that Object.prototype may have.
    const modeOfNone = () => toCallMode((DEFAULTS as { mode?: unknown }).mode);
    return cpArguments(given, modeOfNone);
  },
  (calls, args): Steps<void> => new Copy(calls, args).run(),
);

/** As the asynchronous forms of Node do it: another walk, with other errors, whose filter may return promises. */
export const cpLater = stepwise(
  (...given: Given): CopyArguments => cpArguments(given, () => 0),
  (calls, args): Steps<void> => new LaterCopy(calls, args).run(),
);
