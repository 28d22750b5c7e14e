/**
 * `threadfs walk`: loads a directory's names into a fresh tree, looks one path up and explains each
 * step, by `vfs.explain()`.
 */
import type { Stats } from "node:fs";
import { createVfs, type Explanation, type FsSync, type TraceStep, type WalkError } from "threadfs";
import { ANY_NAME, Loader, permissions, realDirectory, TALLY_BYTES, typeName } from "./load/load.js";
import { WorkStack } from "./load/work-stack.js";
import { PRIVILEGED } from "./support/credentials.js";
import { CliError, codeOf, EXIT_FAILED, EXIT_USAGE } from "./support/errors.js";

export interface WalkOptions {
  path: string;
  directory: string;
  uid: number;
  gid: number;
  json: boolean;
  ref: boolean;
  follow: boolean;
  mounts: string[];
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
  directory: string;
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
  const source = realDirectory(options.directory, EXIT_USAGE);
  const vfs = await createVfs({ maxBytes: MAX_BYTES });
  try {
    const { fs } = vfs.context(PRIVILEGED);
    const { entries, omitted } = loadNames(fs, source);
    for (const path of options.mounts) mountAt(path, () => vfs.mount("none", fromRoot(path), "tmpfs", {}));
    const { uid, gid, path, follow, ref } = options;
    const user = vfs.context({ ...PRIVILEGED, uid, gid });
    // A fresh tree has an empty prefix cache anyway.
    const explanation = await user.explain(path, { follow, ref, prefixCache: false });
    const answer = answerOf(explanation);
    const explained = explain(fs, explanation.steps, omitted);
    const unknown = explained.at(-1)?.step === "answer" ? lastMissing(explained)?.unknown : undefined;
    const known = "error" in answer && unknown !== undefined ? { unknown } : answer;
    const result = { path, directory: source, entries, credentials: { uid, gid }, steps: explained, answer: known };
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

function mountAt(path: string, mount: () => void): void {
  try {
    mount();
  } catch (error) {
    throw new CliError(codeOf(error), `--mount ${path}: ${(error as Error).message}`, EXIT_USAGE);
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
  const { path, directory, entries, credentials, steps, answer } = report;
  const { uid, gid } = credentials;
  const head = `stat "${path}" as uid ${uid}, gid ${gid}; the root is ${directory}, ${entries} entries`;
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
