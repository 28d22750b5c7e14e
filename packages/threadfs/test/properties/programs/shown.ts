/** Results of calls as plain data that is equal on both sides: without inode numbers, and without what the clock gave. */
import type * as NodeFs from "node:fs";
import { FLOOR } from "../commands.js";

/** Programs set no time after this one, and the clock gives none before it. */
const NOW = Date.UTC(2020, 0);

/** Longer texts are shown by their length, their beginning and a sum of all their units. */
const SHOWN_MAX = 200;

const TYPES = ["File", "Directory", "SymbolicLink", "FIFO", "Socket", "CharacterDevice", "BlockDevice"] as const;

type Types = { [name in `is${(typeof TYPES)[number]}`]: () => boolean };

function typeOf(entry: Types): string {
  return TYPES.filter((name) => entry[`is${name}`]()).join("+");
}

function text(value: string, dir: string): string {
  const plain = value.replaceAll(dir, "").replaceAll(`/${FLOOR}`, "<floor>/");
  if (plain.length <= SHOWN_MAX) return plain;
  let sum = 0;
  for (let n = 0; n < plain.length; n++) sum = (Math.imul(sum, 31) + plain.charCodeAt(n)) | 0;
  return `${plain.length} units, sum ${sum}: ${plain.slice(0, 40)}`;
}

const ms = (value: number | bigint): string => (Number(value) < NOW ? `${value}` : "now");

function stats(value: NodeFs.Stats | NodeFs.BigIntStats): object {
  const { mode, nlink, uid, gid, size, blksize, atimeMs, mtimeMs, ctimeMs, atime, mtime } = value;
  const isBig = "mtimeNs" in value;
  const nanoseconds = isBig
    ? [value.atimeNs, value.mtimeNs].map((ns) => (ns < BigInt(NOW) * 1_000_000n ? `${ns}` : "now"))
    : undefined;
  return {
    type: typeOf(value),
    numbers: [mode.toString(8), nlink, uid, gid, blksize].map(String),
    kind: typeof mode,
    // The size of a directory is its file system's own.
    size: value.isDirectory() ? "any" : String(size),
    times: [atimeMs, mtimeMs, ctimeMs, atime.getTime(), mtime.getTime()].map(ms),
    nanoseconds,
  };
}

function isStatsOrDirent(value: object): value is NodeFs.Stats | NodeFs.Dirent {
  return "isDirectory" in value && typeof value.isDirectory === "function";
}

/** A value without the path of the run's directory. */
export function shown(value: unknown, dir: string): unknown {
  switch (typeof value) {
    case "string":
      return text(value, dir);
    case "bigint":
      return { bigint: String(value) };
    case "undefined":
      return "undefined";
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { number: Object.is(value, -0) ? "-0" : `${value}` };
    case "object":
      return value === null ? null : shownObject(value, dir);
    default:
      return value;
  }
}

function shownObject(value: object, dir: string): unknown {
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return { [value.constructor.name]: text(bytes.toString("latin1"), dir) };
  }
  if (Array.isArray(value)) return value.map((item) => shown(item, dir));
  if (value instanceof Error) return errorShape(value, dir);
  if (isStatsOrDirent(value)) {
    if ("mode" in value) return stats(value);
    return { entry: typeOf(value), name: shown(value.name, dir), parentPath: shown(value.parentPath, dir) };
  }
  const fields = Object.entries(value).map(([key, field]) => [key, shown(field, dir)]);
  return Object.fromEntries(fields);
}

const HIDDEN = new Set(["stack"]);

/** The class of an error, its message, and whatever else it carries. */
function errorShape(error: Error, dir: string): object {
  const own = Object.entries(error)
    .filter(([key]) => !HIDDEN.has(key))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    name: error.name,
    message: shown(error.message, dir),
    ...Object.fromEntries(own.map(([key, value]) => [key, shown(value, dir)])),
  };
}

/** What a call did: the value it returned, or its error. An error without a code is a fault of the program. */
export interface Outcome {
  readonly value?: unknown;
  readonly error?: object;
  readonly thrown?: string;
}

/** The outcome of a call, when its promise is settled. */
export async function outcomeOf(call: () => unknown, dir: string): Promise<Outcome> {
  try {
    return { value: shown(await call(), dir) };
  } catch (error) {
    if (error instanceof Error && "code" in error) return { error: errorShape(error, dir) };
    return { thrown: error instanceof Error ? `${error.stack}` : String(error) };
  }
}
