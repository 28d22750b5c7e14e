/**
 * The walk of a glob: finds paths, directory by directory, in Node's order. A search is a path and the parts of a pattern that
 * may match what is in it; a search of a directory makes searches of what is below. Searches are taken from the end of a queue.
 */

import { invalidArgType } from "../../errors/errors.js";
import type { Dirent } from "../directory/dirent.js";
import type { Pause, Steps } from "../operation.js";
import { isAbsolute, joinPaths, resolvePath } from "../paths/join.js";
import { DepthLimit } from "./depth.js";
import { excluder } from "./exclude.js";
import { GLOBSTAR, matchesPart, type Part, type Pattern, PatternCompiler } from "./pattern.js";
import type { GlobReader } from "./reader.js";

/** What a glob is asked, checked. */
export interface GlobRequest {
  readonly patterns: readonly Pattern[];
  /** The option `cwd`; as in Node its type counts only when a path is looked at. */
  readonly root: unknown;
  readonly exclude: readonly string[] | ((entry: never) => unknown) | undefined;
  readonly followSymlinks: boolean;
  /** Infinity: no limit. */
  readonly maxDepth: number;
  readonly withFileTypes: boolean;
}

export class Found {
  readonly path: string;
  /** As the walk saw it. */
  readonly entry: Dirent | null;

  constructor(path: string, entry: Dirent | null) {
    this.path = path;
    this.entry = entry;
  }
}

/** What a walk yields: what it finds, where it has to wait, and undefined after each path that was searched. */
export type Walk = Generator<Found | Pause | undefined, void, unknown>;

/** @throws TypeError ERR_INVALID_ARG_TYPE, as Node's when it resolves a path */
export function checkedRoot(root: unknown): string {
  if (typeof root !== "string") throw invalidArgType("paths[0]", "of type string", root);
  return root;
}

/** The path of something found, from the working directory on. */
export function pathFrom(root: unknown, path: string): string {
  return isAbsolute(path) ? path : (joinPaths(checkedRoot(root), path) as string);
}

function join(parent: string, name: string): string {
  return joinPaths(parent, name) as string;
}

/** Which parts of a pattern may match, and how the search came to its path. */
interface Trail {
  readonly pattern: Pattern;
  /** Places of parts in the pattern, in the order in which they are tried. */
  readonly at: ReadonlySet<number>;
  /** Places of `**` that the last link was found by: a link is the end of their way. */
  readonly links: ReadonlySet<number>;
  /** Real paths of the directories above, if links are followed. */
  readonly above: ReadonlySet<string>;
}

const NONE: ReadonlySet<never> = /* @__PURE__ */ new Set<never>();

/** The part at a place of a pattern; -1 is the last one. */
function partAt({ pattern }: Trail, at: number): Part | undefined {
  return pattern.parts.at(at);
}

function endsOf(trail: Trail): readonly [first: Part | undefined, last: Part | undefined] {
  return [partAt(trail, 0), partAt(trail, -1)];
}

function lastPlace({ pattern }: Trail): number {
  return pattern.parts.length - 1;
}

function startAt(trail: Trail, place: number): Trail {
  return { ...trail, at: new Set([place]), links: NONE };
}

/** A directory that is searched. */
interface Place {
  /** As it is found: relative to the root unless the pattern is absolute. */
  readonly path: string;
  readonly full: string;
  readonly entry: Dirent | null;
  /** Whether the end of the pattern is here. */
  readonly isLast: boolean;
}

/** One entry of a searched directory. */
interface Child {
  readonly path: string;
  readonly entry: Dirent;
  readonly isDirectory: boolean;
  /** The parts to search it for. */
  readonly at: Set<number>;
  readonly links: Set<number>;
}

/** Paths where a pattern begins that begins so. */
const STARTS: ReadonlyMap<Part | undefined, string> = new Map([
  ["", "/"],
  ["..", "../"],
  [".", "."],
]);

class GlobWalk {
  readonly #request: GlobRequest;
  readonly #reader: GlobReader;
  readonly #base: string;
  readonly #limit: DepthLimit | undefined;
  readonly #isExcluded: (path: string) => boolean;
  readonly #refuses: ((entry: Dirent | string) => unknown) | undefined;
  readonly #results = new Set<string>();
  /** For each path the tails of patterns that were searched there. */
  readonly #searched = new Map<string, Set<number>>();
  readonly #queue: { path: string; trails: Trail[] }[] = [];
  /** Searches that the present one makes. */
  readonly #next = new Map<string, Trail[]>();

  /** @param base absolute path of the search's directory */
  constructor(request: GlobRequest, reader: GlobReader, base: string) {
    this.#request = request;
    this.#reader = reader;
    this.#base = base;
    const { exclude, maxDepth } = request;
    this.#limit = maxDepth === Number.POSITIVE_INFINITY ? undefined : new DepthLimit(this.#resolve(""), maxDepth);
    this.#refuses = typeof exclude === "function" ? (exclude as (entry: Dirent | string) => unknown) : undefined;
    const compiler = new PatternCompiler();
    const patterns = typeof exclude === "object" ? exclude.map((pattern) => this.#resolve(pattern)) : [];
    this.#isExcluded = excluder(patterns.flatMap((pattern) => compiler.compile(pattern)));
  }

  *steps(): Walk {
    const trails = this.#request.patterns.map((pattern) => ({ pattern, at: new Set([0]), links: NONE, above: NONE }));
    this.#queue.push({ path: ".", trails });
    for (let search = this.#queue.pop(); search !== undefined; search = this.#queue.pop()) {
      for (const trail of search.trails) {
        yield* this.#search(search.path, trail);
        yield undefined;
      }
      for (const [path, trails] of this.#next) this.#queue.push({ path, trails });
      this.#next.clear();
    }
  }

  /** As `path.resolve`. */
  #resolve(path: string): string {
    return resolvePath(this.#base, path);
  }

  /** Whether a path is a result that was not found before. */
  #isNew(path: string): boolean {
    if (this.#results.has(path)) return false;
    const full = this.#resolve(path);
    if (this.#limit?.includes(full) === false || this.#isExcluded(full)) return false;
    this.#results.add(path);
    return true;
  }

  *#find(path: string, entry: Dirent | null): Walk {
    if (this.#isNew(path)) yield new Found(path, entry);
  }

  /** Notes what is searched for at a path. Returns whether any of it was searched for before: then, as in Node, all of it was. */
  #wasSearched(path: string, { pattern, at }: Trail): boolean {
    const searched = this.#searched.get(path) ?? new Set();
    this.#searched.set(path, searched);
    const size = searched.size;
    for (const place of at) searched.add(this.#tail(pattern, place));
    return searched.size !== size + at.size;
  }

  #tail({ tails }: Pattern, place: number): number {
    return tails[Math.min(place, tails.length - 1)] as number;
  }

  #wasSearchedFor(path: string, { pattern }: Trail, place: number): boolean {
    return this.#searched.get(path)?.has(this.#tail(pattern, place)) === true;
  }

  /** Searches a path later, unless it is excluded. */
  *#searchLater(path: string, trail: Trail): Steps<void> {
    if (this.#isExcluded(path)) return;
    const full = this.#resolve(path);
    if (this.#isExcluded(`${full}/`) && (yield* this.#reader.entry(full))?.isDirectory()) return;
    if (this.#refuses !== undefined) {
      // As in Node, the path is here one from the working directory on, whatever the root is.
      const entry = this.#request.withFileTypes ? yield* this.#reader.entry(path) : path;
      if (entry !== null && this.#refuses(entry)) return;
    }
    const trails = this.#next.get(path);
    if (trails === undefined) this.#next.set(path, [trail]);
    else trails.push(trail);
  }

  *#isDirectory(full: string, entry: Dirent | null, { at, links }: Trail): Steps<boolean> {
    if (entry?.isDirectory()) return true;
    if (!entry?.isSymbolicLink()) return false;
    if (this.#request.followSymlinks) return yield* this.#reader.isDirectory(full);
    return [...at].some((place) => !links.has(place));
  }

  *#search(path: string, trail: Trail): Walk {
    if (this.#wasSearched(path, trail)) return;
    const full = this.#resolve(path);
    const entry = yield* this.#reader.entry(full);
    const isDirectory = yield* this.#isDirectory(full, entry, trail);
    if (this.#isExcluded(full)) return;
    const last = lastPlace(trail);
    const [first, end] = endsOf(trail);
    const start = trail.at.has(0) ? STARTS.get(first) : undefined;
    if (start !== undefined) {
      yield* this.#searchLater(start, startAt(trail, 1));
      return;
    }
    const isLast =
      trail.at.has(last) || (end === "" && isDirectory && trail.at.has(last - 1) && partAt(trail, -2) === GLOBSTAR);
    if (isLast && typeof end === "string") {
      const target = yield* this.#reader.entry(join(full, end));
      if (target !== null && (end !== "" || isDirectory)) yield* this.#find(join(path, end), target);
      if (trail.at.size === 1 && trail.at.has(last)) return;
    } else if (isLast && end === GLOBSTAR && (path !== "." || first === "." || (last === 0 && entry !== null))) {
      // The root is found only if it is asked for: by "." or "**" alone.
      yield* this.#find(path, entry);
    }
    if (!isDirectory || this.#limit?.isOpen(full, trail.pattern.absolute) === false) return;
    const above = yield* this.#realpathsWith(full, trail);
    if (above === undefined) return;
    const place = { path, full, entry, isLast };
    for (const found of yield* this.#children(full, trail)) {
      const child = yield* this.#childOf(place, found);
      for (const at of trail.at) yield* this.#tryPart(place, trail, at, child);
      if (child.at.size > 0)
        yield* this.#searchLater(child.path, { ...trail, at: child.at, links: child.links, above });
    }
  }

  /** The real paths above and that of a directory itself; undefined: it is one of those above. */
  *#realpathsWith(full: string, { above }: Trail): Steps<ReadonlySet<string> | undefined> {
    const real = this.#request.followSymlinks ? yield* this.#reader.realpath(full) : null;
    if (real === null) return above;
    return above.has(real) ? undefined : new Set([...above, real]);
  }

  /** The entries to look at: where only a name can match, that one. */
  *#children(full: string, trail: Trail): Steps<readonly Dirent[]> {
    const [place] = trail.at;
    const name = trail.at.size === 1 && place !== undefined ? partAt(trail, place) : undefined;
    if (typeof name !== "string") return yield* this.#reader.list(full);
    const entry = yield* this.#reader.entry(join(full, name));
    if (entry === null) return [];
    // As in Node also for "..", whose entry has the name of the directory above.
    entry.name = name;
    return [entry];
  }

  *#childOf(place: Place, entry: Dirent): Steps<Child> {
    const full = join(place.full, entry.name);
    this.#reader.remember(full, entry);
    const follows = this.#request.followSymlinks && entry.isSymbolicLink();
    const isDirectory = entry.isDirectory() || (follows && (yield* this.#reader.isDirectory(full)));
    return { path: join(place.path, entry.name), entry, isDirectory, at: new Set(), links: new Set() };
  }

  /** Tries the part at a place of the pattern on an entry: finds it, or notes the parts that it is searched for. */
  *#tryPart(place: Place, trail: Trail, at: number, child: Child): Walk {
    const part = partAt(trail, at);
    const last = lastPlace(trail);
    const { name } = child.entry;
    if (part === GLOBSTAR) {
      yield* this.#tryGlobstar(place, trail, at, child);
    } else if (typeof part === "string") {
      if (part === name && at !== last) {
        child.at.add(at + 1);
      } else if (part === "." && matchesPart(partAt(trail, at + 1), name)) {
        if (at + 1 === last) yield* this.#find(child.path, child.entry);
        else child.at.add(at + 2);
      }
    } else if (part !== undefined && matchesPart(part, name)) {
      if (at === last) yield* this.#find(child.path, child.entry);
      else if (child.isDirectory) child.at.add(at + 1);
    }
  }

  *#tryGlobstar(place: Place, trail: Trail, at: number, child: Child): Walk {
    const next = partAt(trail, at + 1);
    const last = lastPlace(trail);
    const { path, entry, isDirectory } = child;
    const nextMatches = matchesPart(next, entry.name);
    if (entry.name.startsWith(".") && !nextMatches) return;
    if (this.#refuses?.(this.#request.withFileTypes ? entry : entry.name)) return;
    const throughLink = !this.#request.followSymlinks && trail.links.has(at);
    if (!throughLink && isDirectory) child.at.add(at);
    else if (!throughLink && at === last) yield* this.#find(path, entry);

    if (nextMatches && at + 1 === last && !place.isLast) yield* this.#find(path, entry);
    else if (nextMatches && isDirectory) child.at.add(at + 2);
    if ((nextMatches || partAt(trail, 0) === ".") && isDirectory && !throughLink) child.at.add(at + 1);

    if (!this.#request.followSymlinks && entry.isSymbolicLink()) child.links.add(at);
    if (next === ".." && isDirectory) yield* this.#tryParent(place, trail, at + 1);
  }

  /** `**` before `..`: goes on, or ends, in the directory and in the one above. */
  *#tryParent(place: Place, trail: Trail, at: number): Walk {
    const parent = join(place.path, "..");
    if (at < lastPlace(trail)) {
      for (const path of [place.path, parent]) {
        if (this.#next.has(path) || this.#wasSearchedFor(path, trail, at + 1)) continue;
        this.#next.set(path, [startAt(trail, at + 1)]);
      }
      return;
    }
    const end = startAt(trail, at);
    if (!this.#wasSearchedFor(place.path, trail, at)) {
      this.#wasSearched(place.path, end);
      yield* this.#find(place.path, yield* this.#reader.entry(place.full));
    }
    if (!this.#wasSearchedFor(parent, trail, at)) {
      this.#wasSearched(parent, end);
      // As in Node, also where the path is absolute.
      yield* this.#find(parent, yield* this.#reader.entry(join(checkedRoot(this.#request.root), parent)));
    }
  }
}

/** Whether anything of a glob depends on where it searches. */
function hasPlace({ patterns, exclude, maxDepth }: GlobRequest): boolean {
  const relative = typeof exclude === "object" && exclude.some((pattern) => !isAbsolute(pattern));
  return patterns.length > 0 || relative || maxDepth !== Number.POSITIVE_INFINITY;
}

/** The steps of a glob. Relative paths begin at the working directory of its first step. */
export function* globSteps(request: GlobRequest, reader: GlobReader): Walk {
  let base = "/";
  if (hasPlace(request)) {
    const root = checkedRoot(request.root);
    base = isAbsolute(root) ? root : `${yield* reader.cwd()}/${root}`;
  }
  yield* new GlobWalk(request, reader, base).steps();
}
