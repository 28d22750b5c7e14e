/** Calls on directories and whole trees. */
import fc from "fast-check";
import type { Actor } from "./actor.js";
import { call, calls } from "./call.js";
import { down, encoding, type PathOperand, path } from "./operands.js";

interface Entry {
  readonly name: string | Buffer;
  readonly parentPath: string | Buffer;
}

interface Dir extends AsyncIterable<Entry> {
  readSync(): Entry | null;
  read(): Promise<Entry | null>;
  read(done: (error: unknown, entry: Entry | null) => void): void;
  close(): Promise<void>;
  closeSync(): void;
}

/** The order of names is each file system's own. */
function sorted(listed: unknown): unknown {
  const key = (one: unknown): string => {
    const name = one instanceof Object && "name" in one ? `${(one as Entry).parentPath}/${(one as Entry).name}` : one;
    return String(name);
  };
  return Array.isArray(listed) ? [...listed].sort((a, b) => (key(a) < key(b) ? -1 : 1)) : listed;
}

async function readBySteps(dir: Dir): Promise<Entry[]> {
  const all: Entry[] = [];
  for (let n = 0; ; n++) {
    const next =
      n % 2 === 0
        ? await dir.read()
        : await new Promise<Entry | null>((resolve, reject) => {
            dir.read((error, entry) => (error ? reject(error) : resolve(entry)));
          });
    if (next === null) break;
    all.push(next);
  }
  await dir.close();
  return all;
}

function readSync(dir: Dir): Entry[] {
  const all: Entry[] = [];
  for (let next = dir.readSync(); next !== null; next = dir.readSync()) all.push(next);
  dir.closeSync();
  return all;
}

async function readByLoop(dir: Dir): Promise<Entry[]> {
  const all: Entry[] = [];
  for await (const entry of dir) all.push(entry);
  return all;
}

/** What a tree has that Node's cpSync ends its process by, or copies in the middle: links that lead nowhere, or in a circle. */
function hasBadLinks(actor: Actor, at: string | Buffer | URL): boolean {
  const visit = (where: string): boolean => {
    const stat = actor.sync("lstat", where) as { isSymbolicLink(): boolean; isDirectory(): boolean };
    if (stat.isSymbolicLink()) {
      actor.sync("stat", where);
      return false;
    }
    return stat.isDirectory() && (actor.sync("readdir", where) as string[]).some((name) => visit(`${where}/${name}`));
  };
  try {
    return visit(typeof at === "string" ? at : at instanceof URL ? at.pathname : at.toString());
  } catch (error) {
    const { path, syscall } = error as { path?: string; syscall?: string };
    return syscall !== "lstat" || path !== String(at);
  }
}

const PATTERNS = ["*", "**", "a/*", "*/*", "**/a", "{a,b}/**", "c/*", "**/[ab]", "*/../*", "nowhere", "a/**/c"];
const glob = fc.record({
  pattern: fc.oneof(
    fc.constantFrom(...PATTERNS),
    fc.array(fc.constantFrom(...PATTERNS), { minLength: 1, maxLength: 2 }),
  ),
  withFileTypes: fc.boolean(),
  exclude: fc.option(fc.array(fc.constantFrom(...PATTERNS), { maxLength: 1 }), { nil: undefined }),
});

async function collected(found: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const one of found) all.push(one);
  return all;
}

const flag = fc.constantFrom(undefined, undefined, false, true);
const copying = fc.record({
  from: down,
  to: down,
  recursive: fc.constantFrom(undefined, true, true, true),
  force: flag,
  preserveTimestamps: flag,
  verbatimSymlinks: flag,
  filtered: fc.boolean(),
});

export const TREES = calls({
  readdir: call(
    4,
    fc.record({ path, encoding, recursive: fc.constantFrom(undefined, false, true), withFileTypes: fc.boolean() }),
    async (actor, { path, ...options }, form) => sorted(await actor.call(form, "readdir", actor.path(path), options)),
  ),
  opendir: call(
    3,
    fc.record({ path, encoding, bufferSize: fc.constantFrom(1, 2, 32), loop: fc.boolean() }),
    async (actor, { path, loop, ...options }, form) => {
      const dir = (await actor.call(form, "opendir", actor.path(path), options)) as Dir;
      return sorted(form === "sync" ? readSync(dir) : await (loop ? readByLoop(dir) : readBySteps(dir)));
    },
  ),
  mkdtemp: call(2, path, async (actor, path, form) => {
    const prefix = actor.path(path);
    const made = String(await actor.call(form, "mkdtemp", prefix));
    actor.sync("rmdir", made);
    return made.slice(0, -6);
  }),
  mkdtempDisposable: call(1, path, async (actor, path, form) => {
    // Node makes the directory, and fails, or removes another one.
    if (actor.isLost() || path.at.includes("..")) return "a directory that stays";
    const made = (await actor.call(form === "sync" ? "sync" : "promise", "mkdtempDisposable", actor.path(path))) as {
      path: string;
      remove(): unknown;
    };
    await made.remove();
    return String(made.path).slice(0, -6);
  }),
  rm: call(
    3,
    fc.record({ path: down, recursive: flag, force: flag }),
    (actor, { path, ...options }, form) => actor.call(form, "rm", actor.path(path), options),
    { rootOnly: true },
  ),
  cp: call(
    4,
    copying,
    (actor, { from, to, filtered, ...options }, form) => {
      if (isBadCopy(actor, from, to)) return "bad links";
      const keep = (source: string) => !source.endsWith("/b");
      const filter = form === "sync" ? keep : async (source: string) => keep(source);
      return actor.call(form, "cp", textPath(actor, from), textPath(actor, to), {
        ...options,
        // On the kernel the text of an absolute link begins at the real root.
        ...(actor.side.rooted ? { verbatimSymlinks: true } : {}),
        ...(filtered ? { filter } : {}),
      });
    },
    { rootOnly: true },
  ),
  glob: call(2, glob, async (actor, { pattern, ...options }, form) => {
    const all = { ...options, cwd: actor.side.base };
    const found = actor.call(form, "glob", pattern, all);
    return sorted(await (form === "promise" ? collected(found as AsyncIterable<unknown>) : found));
  }),
});

/** The asynchronous cp takes no bytes. */
function textPath(actor: Actor, path: PathOperand): string | Buffer | URL {
  return actor.path(path.as === "bytes" ? { ...path, as: "absolute" } : path);
}

function isBadCopy(actor: Actor, from: PathOperand, to: PathOperand): boolean {
  const absolute = (path: PathOperand): string => (path.as === "relative" ? `./${path.at}` : actor.side.base + path.at);
  const [source, target] = [absolute(from), absolute(to)];
  if (hasBadLinks(actor, source) || hasBadLinks(actor, target)) return true;
  if (hasConflicts(actor, source, target)) return true;
  return realDirectory(actor, target).startsWith(realDirectory(actor, source));
}

function typeAt(actor: Actor, path: string): "none" | "directory" | "file" | "other" {
  const stat = actor.sync("lstat", path, { throwIfNoEntry: false }) as
    | { isDirectory(): boolean; isFile(): boolean }
    | undefined;
  if (stat === undefined) return "none";
  return stat.isDirectory() ? "directory" : stat.isFile() ? "file" : "other";
}

/** Whether names in the two trees are in each other's way: which of them ends the copy depends on the order of names. */
function hasConflicts(actor: Actor, source: string, target: string): boolean {
  if (typeAt(actor, source) !== "directory" || typeAt(actor, target) !== "directory") return false;
  return (actor.sync("readdir", source) as string[]).some((name) => {
    const [from, to] = [`${source}/${name}`, `${target}/${name}`];
    const there = typeAt(actor, to);
    if (there === "none") return false;
    return there === "other" || there !== typeAt(actor, from) || hasConflicts(actor, from, to);
  });
}

/** The real path of the deepest directory on a path that is there. */
function realDirectory(actor: Actor, path: string): string {
  for (let at = path; at.includes("/"); at = at.slice(0, at.lastIndexOf("/"))) {
    try {
      return `${actor.native("realpathSync", at)}/`;
    } catch {
      // Not there.
    }
  }
  return `${actor.native("realpathSync", ".")}/`;
}
