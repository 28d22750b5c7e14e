/** `glob`: the paths that match patterns. */
import { invalidArgType } from "../../errors/errors.js";
import { fromUrl, NO_OPTIONS, toBoolean, toInteger, toObject } from "../args.js";
import type { Dirent } from "../directory/dirent.js";
import { type Steps, stepwise } from "../operation.js";
import type { SystemCalls } from "../system-calls.js";
import { PatternCompiler } from "./pattern.js";
import { TreeReader } from "./reader.js";
import { checkedRoot, Found, type GlobRequest, globSteps, pathFrom, type Walk } from "./walk.js";

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

/** @throws Node's errors of arguments; RangeError ERR_THREADFS_GLOB_LIMIT */
function parse(pattern: string | readonly string[], options: GlobOptions = NO_OPTIONS): GlobRequest {
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
}

type Result = string | Dirent | null;

/** What a walk finds next; undefined: it has ended. */
export const nextFound = stepwise(
  (walk: Walk) => walk,
  function* (_calls, walk): Steps<Found | undefined> {
    for (;;) {
      const { value, done } = walk.next();
      if (done) return undefined;
      if (value instanceof Found) return value;
      if (value !== undefined) yield value;
    }
  },
);

function* allFound(calls: SystemCalls, walk: Walk): Steps<Found[]> {
  const all: Found[] = [];
  for (;;) {
    const found = yield* nextFound.steps(calls, walk);
    if (found === undefined) return all;
    all.push(found);
  }
}

/** What a form returns of something found. */
export function resultOf({ withFileTypes }: GlobRequest, { path, entry }: Found): Result {
  return withFileTypes ? entry : path;
}

/** The asynchronous forms: entries are as the walk saw them. */
export const glob = stepwise(parse, function* (calls, request): Steps<Result[]> {
  const found = yield* allFound(calls, globSteps(request, new TreeReader(calls)));
  return found.map((one) => resultOf(request, one));
});

/** The synchronous form: as in Node entries are looked at in the end, by the paths from the working directory on. */
export const globSync = stepwise(parse, function* (calls, request): Steps<Result[]> {
  const reader = new TreeReader(calls);
  const found = yield* allFound(calls, globSteps(request, reader));
  const results: Result[] = [];
  for (const { path } of found) {
    results.push(request.withFileTypes ? yield* reader.entry(pathFrom(request.root, path)) : path);
  }
  return results;
});
