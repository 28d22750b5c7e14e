/** `glob`: the paths that match patterns. */
import { invalidArgType } from "../../errors/errors.js";
import { fromUrl, NO_OPTIONS, toBoolean, toInteger, toObject } from "../args.js";
import type { Dirent } from "../directory/dirent.js";
import { operation } from "../operation.js";
import { PatternCompiler } from "./pattern.js";
import { TreeReader } from "./reader.js";
import { checkedRoot, type GlobRequest, globSteps, pathFrom } from "./walk.js";

export interface GlobOptions {
  cwd?: string | URL | undefined;
  exclude?: readonly string[] | ((entry: never) => boolean) | undefined;
  followSymlinks?: boolean | undefined;
  maxDepth?: number | undefined;
  withFileTypes?: boolean | undefined;
}

function checkStrings(values: readonly unknown[], name: string): readonly string[] {
  for (const [i, value] of values.entries()) {
    if (typeof value !== "string") throw invalidArgType(`${name}[${i}]`, "of type string", value);
  }
  return values as readonly string[];
}

function toPatterns(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object") throw invalidArgType("patterns", "of type string", value);
  if (!Array.isArray(value)) throw invalidArgType("patterns", "an instance of Array", value);
  return checkStrings(value, "patterns");
}

function toExclude(value: unknown, root: unknown): GlobRequest["exclude"] {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) {
    const patterns = checkStrings(value, "options.exclude");
    // An internal assertion of Node fails here.
    checkedRoot(root);
    return patterns;
  }
  if (typeof value !== "function") throw invalidArgType("options.exclude", "of type function or string[]", value);
  return value as (entry: never) => unknown;
}

function toMaxDepth(value: unknown, root: unknown): number {
  if (value === undefined || value === null || value === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  const depth = toInteger(value, "options.maxDepth", 0);
  checkedRoot(root);
  return depth;
}

export const glob = operation(
  (pattern: string | readonly string[], options: GlobOptions = NO_OPTIONS): GlobRequest => {
    const { exclude, cwd, followSymlinks, maxDepth, withFileTypes } = toObject(options, "options");
    const root = fromUrl(cwd) ?? ".";
    const follow = followSymlinks ?? undefined;
    const request = {
      root,
      followSymlinks: follow === undefined ? false : toBoolean(follow, "options.followSymlinks"),
      maxDepth: toMaxDepth(maxDepth, root),
      withFileTypes: Boolean(withFileTypes),
      exclude: toExclude(exclude, root),
    };
    const compiler = new PatternCompiler();
    const patterns = toPatterns(pattern).flatMap((text) => compiler.compile(text));
    return { ...request, patterns };
  },
  (calls, request): (string | Dirent | null)[] => {
    const reader = new TreeReader(calls);
    const paths: string[] = [];
    for (const found of globSteps(request, reader)) if (found !== undefined) paths.push(found.path);
    if (!request.withFileTypes) return paths;
    // Read at the end, as in Node: as paths from the working directory on, unless the walk looked at just these.
    return paths.map((path) => reader.entry(pathFrom(request.root, path)));
  },
);
