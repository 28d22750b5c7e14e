/**
 * `threadfs walk`: loads a directory's names into a fresh tree, looks one path up in the debug build of the core and
 * explains each step.
 */
import type { Stats } from "node:fs";
import { createVfs, type FsSync, loadCore, Trace, type TraceStep } from "threadfs";
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
export interface Explanation {
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
  const trace = new Trace();
  const core = await loadCore({ url: new URL("./core.debug.wasm", import.meta.url) });
  const vfs = await createVfs({ core, maxBytes: MAX_BYTES, point: trace.point });
  try {
    trace.attach(vfs.handle.memory);
    const { fs } = vfs.context(PRIVILEGED);
    const { entries, omitted } = loadNames(fs, source);
    for (const path of options.mounts) mountAt(path, () => vfs.mount("none", fromRoot(path), "tmpfs", {}));
    const { uid, gid } = options;
    const user = vfs.context({ ...PRIVILEGED, uid, gid });
    vfs.walkMode({ ref: options.ref });
    trace.start();
    const answer = lookUp(user.fs, options);
    const steps = firstWalk(trace.stop());
    vfs.walkMode({ ref: false });
    const explained = explain(fs, steps, omitted);
    const unknown = explained.at(-1)?.step === "answer" ? lastMissing(explained)?.unknown : undefined;
    const known = "error" in answer && unknown !== undefined ? { unknown } : answer;
    print(
      { path: options.path, directory: source, entries, credentials: { uid, gid }, steps: explained, answer: known },
      options,
    );
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

function lookUp(fs: FsSync, { path, follow }: WalkOptions): Explanation["answer"] {
  try {
    return { found: attributesOf(follow ? fs.statSync(path) : fs.lstatSync(path)) };
  } catch (error) {
    return { error: { code: codeOf(error), message: (error as Error).message } };
  }
}

function attributesOf(stats: Pick<Stats, "mode" | "ino" | "size">): FileAttributes {
  return { type: typeName(stats.mode), ino: stats.ino, mode: permissions(stats.mode), size: stats.size };
}

/** The steps of the first walk: a call that fails walks a second time for its error, with the same steps. */
function firstWalk(steps: TraceStep[]): TraceStep[] {
  const answered = steps.findIndex(({ step }) => step === "answer");
  return answered < 0 ? steps : steps.slice(0, answered + 1);
}

/** Adds to each step the file at its path, which is looked up after the walk with all rights. */
function explain(fs: FsSync, steps: TraceStep[], omitted: Omitted): ExplainedStep[] {
  return steps.map((step, i) => {
    if (step.step === "missing") {
      const unknown = omitted(step.path);
      return unknown === undefined ? step : { ...step, unknown };
    }
    const covered = steps[i + 1]?.step === "mountDown" || followedByMount(steps, i);
    if (!DESCRIBED.has(step.step) || covered || !("path" in step)) return step;
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

function print(explanation: Explanation, { json }: WalkOptions): void {
  process.stdout.write(json ? `${JSON.stringify(explanation, null, 2)}\n` : textOf(explanation));
}

function textOf({ path, directory, entries, credentials, steps, answer }: Explanation): string {
  const { uid, gid } = credentials;
  const lines = [`stat "${path}" as uid ${uid}, gid ${gid}; the root is ${directory}, ${entries} entries`, ""];
  const shown = steps.filter(({ step }) => step !== "detail");
  for (const [i, step] of shown.entries()) lines.push(`${String(i + 1).padStart(3)}  ${step.mode}  ${sentence(step)}`);
  const told = answerText(answer);
  return `${[...lines, "", `answer: ${told}`].join("\n")}\n`;
}

function answerText(answer: Explanation["answer"]): string {
  if ("found" in answer) return `found: ${describe(answer.found)}`;
  return "error" in answer ? answer.error.message : `unknown: ${answer.unknown}`;
}

const describe = ({ type, ino, mode, size }: FileAttributes): string =>
  `${type}, ino ${ino}, mode ${mode}, size ${size}`;

function sentence(step: ExplainedStep): string {
  const is = step.is ? `: ${describe(step.is)}` : "";
  switch (step.step) {
    case "start":
      return `start at ${step.path}${is}${step.revalidate ? "; everything is revalidated" : ""}`;
    case "component":
      return `component "${step.name}" in ${step.path}`;
    case "found":
      return `  found ${step.path}${is}${sequence(step)}; dentry ${hex(step.dentry)}`;
    case "missing":
      if (step.unknown !== undefined) return `  ${step.path} is not loaded, so it may exist: ${step.unknown}`;
      return `  ${step.path} is not there${step.final ? ", and that is certain" : ""}`;
    case "parent":
      return `  check ${step.path}${sequence(step)}`;
    case "mountDown":
      return `  something is mounted here: down into ${step.path}${is}; mount ${hex(step.mount)}`;
    case "mountUp":
      return `  up out of the mount at ${step.path}; mount ${hex(step.mount)}`;
    case "dotdot":
      return `  ".." from ${step.from} to ${step.path}${is}`;
    case "permission":
      return `  may ${step.path} be searched? ${step.answer === "ok" ? "yes" : step.answer}`;
    case "link":
      return `  link with the body "${step.body}"`;
    case "lockedLookup":
      return `  look again under the lock of ${step.path}`;
    case "drop":
      return `  leave rcu mode at ${step.path}: ${REASONS[step.reason]}`;
    case "dropped":
      return step.continued ? `  references taken, on in ref mode` : `  no references to be had: start again`;
    case "restart":
      return `start again: ${step.reason}${RESTARTS[step.reason] ?? ""}`;
    case "complete":
      return `  the end: check ${step.path}${sequence(step)}`;
    case "answer":
      return `answer ${step.answer}${step.answer === "ok" ? ` at ${step.path}` : ""}`;
    case "detail":
      return `  ${step.point} ${hex(step.a)} ${hex(step.b)}`;
  }
}

const hex = (address: number): string => `0x${address.toString(16)}`;

function sequence({ mode, sequence: number }: { mode: string; sequence: number }): string {
  return mode === "rcu" ? `; sequence ${number}` : "";
}

const REASONS: Record<Extract<TraceStep, { step: "drop" }>["reason"], string> = {
  UNCACHED: "the name is not cached, and looking it up may wait",
  PERMISSION: "permission cannot be checked without waiting",
  REVALIDATE: "the driver has to revalidate the dentry",
  LINK: "a link's body is read with references held",
  REVAL_DOT: "the driver has to revalidate the end of the walk",
  CREATE: "it may have to be made",
};

const RESTARTS: Record<string, string> = {
  ECHILD: ", something changed under the walk: from the start in ref mode",
  ESTALE: ", a cached name is out of date: from the start, everything revalidated",
};
