/**
 * `threadfs walk`: loads a directory's names, or a snapshot, into a fresh tree, looks one path up and explains each
 * step, by `vfs.explain()`.
 */
import { readFileSync, type Stats } from "node:fs";
import {
  createVfs,
  type Explanation,
  type FsSync,
  type ResolveFlag,
  type TraceStep,
  type Vfs,
  type WalkError,
} from "threadfs";
import { ANY_NAME, Loader, permissions, realDirectory, TALLY_BYTES, typeName } from "./load/load.js";
import { WorkStack } from "./load/work-stack.js";
import { PRIVILEGED } from "./support/credentials.js";
import { CliError, codeOf, EXIT_FAILED, EXIT_USAGE } from "./support/errors.js";
import { completeAcl, parseAcl } from "./walk/acl-text.js";
import { parseMount } from "./walk/mount-text.js";
import { treeDriver, type Validity } from "./walk/tree-driver.js";

export interface WalkOptions {
  path: string;
  directory: string;
  /** A file with a snapshot, instead of the directory. */
  snapshot?: string | undefined;
  uid: number;
  gid: number;
  json: boolean;
  ref: boolean;
  follow: boolean;
  /** What the walk may pass, as openat2(2) has it; undefined: all. */
  resolve?: string[] | undefined;
  mounts: string[];
  /** Each a path, "=", and the text of an ACL. */
  acls: string[];
  /** Directories below which a driver has the files. */
  drivers: string[];
  validity: Validity;
  /** The walk is the first one: what drivers have told is not in the cache. */
  cold: boolean;
}

const MAX_ENTRIES = 200_000;
const MAX_BYTES = 1 << 30;
const LIST_BYTES = 8 << 20;

/** The attributes of the file at a path that are printed. */
export interface FileAttributes {
  type: string;
  ino: number;
  mode: string;
  size: number;
}

/** A step with the file it is at; not of a mount point, whose own inode the mount hides. */
export type ExplainedStep = TraceStep & {
  is?: FileAttributes;
  /** Of a name that is missing in the tree, why it may be in the directory all the same. */
  unknown?: string;
};

/** The output of `threadfs walk --json`. */
export interface WalkReport {
  path: string;
  /** Where the tree comes from: the directory, or the file of the snapshot. */
  directory?: string;
  snapshot?: string;
  /** Entries loaded. */
  entries: number;
  credentials: { uid: number; gid: number };
  steps: ExplainedStep[];
  answer: { found: FileAttributes } | { error: { code: string; message: string } } | { unknown: string };
}

/** Why a path that is not in the tree may be in the directory; undefined for one that is not there. */
type Omitted = (path: string) => string | undefined;

/**
 * Explains a walk on standard output. Returns the exit status: 0, also when the walk ends in an error; 1 when it met a name of which
 * is not known whether it exists.
 */
export async function runWalk(options: WalkOptions): Promise<number> {
  const { vfs, ...loaded } =
    options.snapshot === undefined ? await treeOf(options.directory) : await savedTree(options.snapshot);
  try {
    const { fs } = vfs.context(PRIVILEGED);
    const { entries, omitted, source } = loaded;
    change(vfs, fs, options);
    const { uid, gid, path, follow, ref } = options;
    const user = vfs.context({ ...PRIVILEGED, uid, gid });
    if (options.drivers.length > 0 && !options.cold) fillCache(user.fs, fromRoot(path), follow);
    // Names of flags that there are not are the library's to refuse.
    const resolve = options.resolve as ResolveFlag[] | undefined;
    // A fresh tree has an empty prefix cache anyway.
    const explanation = await user
      .explain(path, { follow, ref, prefixCache: false, resolve })
      .catch((error: unknown) => {
        if (codeOf(error) !== "ERR_INVALID_ARG_VALUE") throw error;
        throw refused(`--resolve ${options.resolve}`, error);
      });
    const answer = answerOf(explanation);
    const explained = explain(fs, explanation.steps, omitted);
    const unknown = explained.at(-1)?.step === "answer" ? lastMissing(explained)?.unknown : undefined;
    const known = "error" in answer && unknown !== undefined ? { unknown } : answer;
    const result = { path, ...source, entries, credentials: { uid, gid }, steps: explained, answer: known };
    process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : textOf(result, explanation));
    return "unknown" in known ? EXIT_FAILED : 0;
  } finally {
    vfs.close();
  }
}

/** Loads names, modes, owners, sizes and links, no contents. Returns how many, and what was left out. */
function loadNames(fs: FsSync, source: string): { entries: number; omitted: Omitted } {
  const tally = new Int32Array(new SharedArrayBuffer(TALLY_BYTES));
  const limits = { contentLimit: -1, contentTotal: 0, maxEntries: MAX_ENTRIES };
  const reasons = new Map<string, string>();
  const loader = new Loader({
    fs,
    source,
    target: "",
    tally,
    ...limits,
    omitted: (path, why) => reasons.set(path, why),
  });
  const list = new WorkStack(WorkStack.memory(LIST_BYTES));
  loader.root();
  list.push("/");
  loader.run(list);
  loader.linkTogether(loader.report.shared);
  const { left, unreadable, unreadableExamples } = loader.report;
  const warn = (text: string): boolean => process.stderr.write(`threadfs: ${text}\n`);
  if (left > 0) warn(`${left} entries were left out: only ${MAX_ENTRIES} are loaded`);
  if (unreadable > 0) warn(`${unreadable} entries could not be read: ${unreadableExamples.join("; ")}`);
  const omitted = (path: string) => reasons.get(path) ?? reasons.get(path.slice(0, path.lastIndexOf("/")) + ANY_NAME);
  return { entries: loader.report.loaded.length, omitted };
}

/** A tree, how many entries it has, what of its source it has not, and the source. */
interface LoadedTree {
  vfs: Vfs;
  entries: number;
  omitted: Omitted;
  source: Pick<WalkReport, "directory" | "snapshot">;
}

async function treeOf(directory: string): Promise<LoadedTree> {
  const source = realDirectory(directory, EXIT_USAGE);
  const vfs = await createVfs({ maxBytes: MAX_BYTES });
  try {
    return { vfs, ...loadNames(vfs.context(PRIVILEGED).fs, source), source: { directory: source } };
  } catch (error) {
    vfs.close();
    throw error;
  }
}

/** The tree of a snapshot, with its contents, ACLs and extended attributes. */
async function savedTree(file: string): Promise<LoadedTree> {
  try {
    const vfs = await createVfs({ maxBytes: MAX_BYTES, snapshot: readFileSync(file) });
    const entries = vfs.context(PRIVILEGED).fs.readdirSync("/", { recursive: true }).length + 1;
    return { vfs, entries, omitted: () => undefined, source: { snapshot: file } };
  } catch (error) {
    throw refused(`--snapshot ${file}`, error);
  }
}

/** The error of an option whose value cannot be used. */
const refused = (option: string, error: unknown): CliError =>
  new CliError(codeOf(error), `${option}: ${error instanceof Error ? error.message : error}`, EXIT_USAGE);

/** Makes the drivers, mounts and ACLs that were asked for, in this order: a mount may be in a driver's directory, an ACL on a mount. */
function change(vfs: Vfs, fs: FsSync, { drivers, mounts, acls, validity }: WalkOptions): void {
  const make = (option: string, value: string, act: () => void): void => {
    try {
      act();
    } catch (error) {
      if (error instanceof CliError) throw error;
      throw refused(`${option} ${value}`, error);
    }
  };
  for (const [n, path] of drivers.entries()) {
    make("--driver", path, () => {
      vfs.registerDriver(treeDriver(fs, fs.realpathSync(fromRoot(path)), `loaded-${n}`, validity));
      vfs.mount(null, fromRoot(path), `loaded-${n}`);
    });
  }
  for (const text of mounts) {
    const { path, bind, flags } = parseMount(text);
    const target = fromRoot(path);
    make("--mount", text, () => vfs.mount(bind ? target : "none", target, bind ? "bind" : "tmpfs", flags));
  }
  for (const text of acls) make("--acl", text, () => setAcl(vfs, fs, text));
}

/** Gives a path an ACL: `PATH=TEXT`. What the text does not say the mode bits do, as with setfacl(1). */
function setAcl(vfs: Vfs, fs: FsSync, text: string): void {
  const equals = text.lastIndexOf("=");
  if (equals <= 0) throw new CliError("ERR_INVALID_ARG_VALUE", `--acl ${text}: it is like /dir=u:1000:r-x`, EXIT_USAGE);
  const path = fromRoot(text.slice(0, equals));
  const parsed = (() => {
    try {
      return parseAcl(text.slice(equals + 1));
    } catch (error) {
      throw new CliError("ERR_INVALID_ARG_VALUE", `--acl ${text}: ${(error as Error).message}`, EXIT_USAGE);
    }
  })();
  const { mode } = fs.statSync(path);
  if (parsed.access.length > 0) vfs.setfacl(path, completeAcl(parsed.access, mode));
  if (parsed.default.length > 0) vfs.setfacl(path, completeAcl(parsed.default, mode), { default: true });
}

/** Looks a path up, so that the next walk finds in the cache what drivers have told. */
function fillCache(fs: FsSync, path: string, follow: boolean): void {
  try {
    if (follow) fs.statSync(path);
    else fs.lstatSync(path);
  } catch {
    // It is explained.
  }
}

const fromRoot = (path: string): string => (path.startsWith("/") ? path : `/${path}`);

function answerOf({ found, error }: Explanation): WalkReport["answer"] {
  // Only access() finds nothing and has no error.
  return found === undefined ? { error: error as WalkError } : { found: attributesOf(found) };
}

function attributesOf(stats: Pick<Stats, "mode" | "ino" | "size">): FileAttributes {
  return { type: typeName(stats.mode), ino: stats.ino, mode: permissions(stats.mode), size: stats.size };
}

/** Adds to each step the file at its path, which is looked up after the walk with all rights. */
function explain(fs: FsSync, steps: TraceStep[], omitted: Omitted): ExplainedStep[] {
  return steps.map((step, i) => {
    if (step.step === "missing") {
      const unknown = omitted(step.path);
      return unknown === undefined ? step : { ...step, unknown };
    }
    const covered = steps[i + 1]?.step === "mountDown" || followedByMount(steps, i);
    if (!DESCRIBED.has(step.step) || covered || !("path" in step) || step.path === undefined) return step;
    const stats = fs.lstatSync(step.path, { throwIfNoEntry: false });
    return stats ? { ...step, is: attributesOf(stats) } : step;
  });
}

/** The last step that did not find a name. */
function lastMissing(steps: ExplainedStep[]): ExplainedStep | undefined {
  return steps.filter(({ step }) => step === "missing").at(-1);
}

const DESCRIBED = new Set<TraceStep["step"]>(["start", "found", "mountDown", "dotdot"]);

/** Whether a mount is entered before the next component is looked at. */
function followedByMount(steps: TraceStep[], from: number): boolean {
  for (const { step } of steps.slice(from + 1)) {
    if (step === "mountDown") return true;
    if (step !== "parent" && step !== "detail") return false;
  }
  return false;
}

function textOf(report: WalkReport, explanation: Explanation): string {
  const { path, directory, snapshot, entries, credentials, steps, answer } = report;
  const { uid, gid } = credentials;
  const head = `stat "${path}" as uid ${uid}, gid ${gid}; the root is ${directory ?? snapshot}, ${entries} entries`;
  const lines = explanation.lines((step) => aboutStep(steps[explanation.steps.indexOf(step)]));
  return `${[head, "", ...lines, "", `answer: ${answerText(answer)}`].join("\n")}\n`;
}

function aboutStep(step: ExplainedStep | undefined): string | undefined {
  if (step?.unknown !== undefined) return `not loaded, so it may exist: ${step.unknown}`;
  return step?.is && describe(step.is);
}

function answerText(answer: WalkReport["answer"]): string {
  if ("found" in answer) return `found: ${describe(answer.found)}`;
  return "error" in answer ? answer.error.message : `unknown: ${answer.unknown}`;
}

const describe = ({ type, ino, mode, size }: FileAttributes): string =>
  `${type}, ino ${ino}, mode ${mode}, size ${size}`;
