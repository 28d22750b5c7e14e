/** Work that runs on both sides, and its outcome as plain data that JSON carries and that can be compared. */
import nodeFs from "node:fs";
import type { FsCalls } from "../fs-calls.js";
import type { PlacedRequest, Plain } from "./oracle.js";

/** What both sides do, in a directory of their own. Work that takes time returns a promise of its value. */
export type Work = (fs: FsCalls, dir: string) => unknown;

/** The works of one suite of a test file. */
export interface Works {
  readonly setUp: Work;
  readonly works: Work[];
}

/** The suites of the imported test file in their order. */
export const registered: Works[] = [];

const ERROR_KEYS = ["name", "code", "errno", "syscall", "path", "dest", "message"] as const;

/** What a call did: the value that it returned, or the parts of its error. */
export interface Outcome {
  readonly value?: Plain;
  readonly error?: { readonly [key: string]: Plain };
  /** An error without a code, which no file system may throw: a fault of the work itself. */
  readonly thrown?: string;
}

/** A value as plain data: what JSON does not carry is an object with the name of its type. */
export function plain(value: unknown): Plain {
  switch (typeof value) {
    case "boolean":
    case "string":
      return value;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { number: Object.is(value, -0) ? "-0" : `${value}` };
    case "object":
      break;
    default:
      return { [typeof value]: String(value) };
  }
  if (value === null) return null;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Date) return { date: plain(value.getTime()) };
  if (value instanceof Error) return { thrown: errorShape(value) };
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return { [value.constructor.name]: bytes.toString("latin1") };
  }
  const fields = Object.entries(value).map(([key, field]) => [key, plain(field)]);
  return Object.fromEntries(fields);
}

/** The parts of an error that both sides must have in common. */
export function errorShape(error: Error): { readonly [key: string]: Plain } {
  const given: { [key in (typeof ERROR_KEYS)[number]]?: unknown } = error;
  const shown = ERROR_KEYS.filter((key) => given[key] !== undefined);
  return Object.fromEntries([...shown.map((key) => [key, plain(given[key])]), ["text", plain(String(error))]]);
}

/** The outcome of work that threw, or whose promise was rejected. */
function failed(error: unknown): Outcome {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return { error: errorShape(error) };
  return { thrown: error instanceof Error ? `${error.stack}` : String(error) };
}

/** The outcome of a piece of work that is done when it returns. */
export function outcome(work: () => unknown): Outcome {
  try {
    return { value: plain(work()) };
  } catch (error) {
    return failed(error);
  }
}

/** The outcome of a piece of work, when its promise is settled if it returns one. */
export async function outcomeOf(work: () => unknown): Promise<Outcome> {
  try {
    return { value: plain(await work()) };
  } catch (error) {
    return failed(error);
  }
}

/** Runs work number `at` of a suite on one side. */
export function runWork(fs: FsCalls, root: string, { setUp, works }: Works, at: number): Promise<Outcome> {
  const dir = `${root}/case${at}`;
  return outcomeOf(async () => {
    fs.mkdirSync(dir, { recursive: true });
    await setUp(fs, dir);
    return works[at]?.(fs, dir);
  });
}

/** In the oracle's process: the outcomes of all works of a test file, by suite and number. */
export async function runWorks({ module, root }: PlacedRequest): Promise<Outcome[][]> {
  await import(module);
  // Names that are no absolute paths belong to the directory of the run.
  process.chdir(root);
  const outcomes: Outcome[][] = [];
  for (const [i, suite] of registered.entries()) {
    const ofSuite: Outcome[] = [];
    // One after another: works may change what belongs to the process, such as process.emitWarning.
    for (const at of suite.works.keys()) ofSuite.push(await runWork(nodeFs, `${root}/suite${i}`, suite, at));
    outcomes.push(ofSuite);
  }
  return outcomes;
}
