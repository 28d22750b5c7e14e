/**
 * Outcomes as plain data that can be compared: values and errors without what must differ (inode and device numbers,
 * times, blocks), and a listing of everything below a directory.
 */
import type * as NodeFs from "node:fs";
import type { FsCalls } from "../../support/fs-calls.js";

const TYPES = [
  ["isFile", "file"],
  ["isDirectory", "dir"],
  ["isSymbolicLink", "link"],
  ["isFIFO", "fifo"],
  ["isSocket", "socket"],
  ["isCharacterDevice", "char"],
  ["isBlockDevice", "block"],
] as const;

/** A listing holds the contents of files up to this size. */
const CONTENTS_MAX = 1 << 20;

/** Everything that the error of a system call carries. */
const ERROR_FIELDS = ["name", "code", "errno", "syscall", "path", "dest", "message"] as const;

export type ErrorField = (typeof ERROR_FIELDS)[number];

/** What a call did: it returned, it threw an error with a code, or it failed in a way that no call may fail in. */
export interface Outcome {
  value?: unknown;
  error?: Record<string, unknown>;
  thrown?: string;
}

/** Every entry of a tree by its path: type, mode, links, owner, size, contents. */
export type Listing = Record<string, string>;

type AnyStats = NodeFs.Stats | NodeFs.BigIntStats;

function typeOf(entry: Pick<NodeFs.Dirent, (typeof TYPES)[number][0]>): string {
  return TYPES.filter(([method]) => entry[method]())
    .map(([, name]) => name)
    .join("+");
}

/** Sizes of directories depend on the file system. */
function stats(value: AnyStats) {
  return {
    stats: typeOf(value),
    mode: Number(value.mode).toString(8),
    nlink: value.nlink,
    uid: value.uid,
    gid: value.gid,
    size: value.isDirectory() ? "any" : value.size,
    dates: [value.atime, value.mtime, value.ctime, value.birthtime].every((time) => time instanceof Date),
  };
}

function isStatsOrDirent(value: object): value is AnyStats | NodeFs.Dirent {
  return "isDirectory" in value && typeof value.isDirectory === "function";
}

/** `value` as plain data in which the root's path is written "<root>". */
export function normalise(value: unknown, root: string): unknown {
  if (typeof value === "string") return value.replaceAll(root, "<root>");
  if (typeof value === "bigint") return { bigint: String(value) };
  // JSON has no words for these, and the oracle's outcomes come through it.
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (Object.is(value, -0)) return { number: "-0" };
  if (value === undefined) return { undefined: true };
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) {
    return { bytes: normalise(Buffer.from(value).toString("latin1"), root), buffer: Buffer.isBuffer(value) };
  }
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof Error) return failure(value, root);
  if (Array.isArray(value)) return value.map((item) => normalise(item, root));
  if (isStatsOrDirent(value)) {
    if ("mode" in value && value.mode !== undefined) return normalise(stats(value), root);
    const { name, parentPath } = value as NodeFs.Dirent;
    return { dirent: typeOf(value), name: normalise(name, root), parentPath: normalise(parentPath, root) };
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, normalise(item, root)]));
}

function failure(error: Error, root: string, only?: readonly ErrorField[]): Record<string, unknown> {
  const given: { [field in ErrorField]?: unknown } = error;
  const fields = only ?? ERROR_FIELDS;
  const shown: Record<string, unknown> = {};
  for (const field of fields) if (given[field] !== undefined) shown[field] = normalise(given[field], root);
  return shown;
}

/**
 * The outcome of `fn`. `only` names the fields of an error to compare where versions of Node differ in the others.
 */
export function attempt(fn: () => unknown, root: string, only?: readonly ErrorField[]): Outcome {
  try {
    return { value: normalise(fn(), root) };
  } catch (error) {
    // An error without a code is a fault of the case or of the implementation: it must show and not be compared away.
    if (!(error instanceof Error) || !("code" in error) || error.code === undefined) {
      return { thrown: error instanceof Error ? `${error.stack}` : `${error}` };
    }
    return { error: failure(error, root, only) };
  }
}

const PLAIN = /^[ -~]*$/;

/** Lists every entry below `dir`; of several names of one inode all but the first refer to the first. */
export function listing(fs: FsCalls, dir: string): Listing {
  const lines: Listing = {};
  const firstName = new Map<number, string>();
  const bytes = (name: string) => (PLAIN.test(name) ? name : Buffer.from(name, "latin1"));
  const visit = (name: string, where: string): void => {
    const stat = fs.lstatSync(bytes(where));
    const line = [stat.mode.toString(8), `nlink ${stat.nlink}`, `${stat.uid}:${stat.gid}`];
    if (stat.nlink > 1 && !stat.isDirectory()) {
      if (!firstName.has(stat.ino)) firstName.set(stat.ino, name);
      line.push(`same as ${firstName.get(stat.ino)}`);
    }
    if (!stat.isDirectory()) line.push(`size ${stat.size}`);
    if (stat.isSymbolicLink()) line.push(fs.readlinkSync(bytes(where), "latin1").replaceAll(dir, "<dir>"));
    if (stat.isFile() && stat.size <= CONTENTS_MAX) line.push(fs.readFileSync(bytes(where), "latin1"));
    lines[name] = line.join(" ");
    if (!stat.isDirectory()) return;
    for (const entry of fs.readdirSync(bytes(where), "latin1").sort()) visit(`${name}/${entry}`, `${where}/${entry}`);
  };
  visit(".", dir);
  return lines;
}
