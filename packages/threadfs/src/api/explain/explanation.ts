/** What `vfs.explain()` returns: the steps of one walk, its end, and all of it as text. */
import type { ChangedWord, CheckedBy, DropReason, Outcome, TraceStep, WalkMode } from "../trace.js";

/** The attributes of the file at the end of the walk, from the walk itself. */
export interface FoundFile {
  ino: number;
  /** Type and permissions, as in `Stats`. */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  /** In bytes. */
  size: number;
}

/** The error of the walk, which is that of the call. */
export interface WalkError {
  code: string;
  message: string;
}

/** What an explanation consists of. */
export interface ExplanationParts {
  path: string;
  call: "stat" | "lstat" | "access";
  steps: TraceStep[];
  found: FoundFile | undefined;
  error: WalkError | undefined;
}

/** One walk, explained. All properties are plain data, so that it can be posted, compared and written as JSON. */
export class Explanation {
  /** The path as it was given. */
  readonly path: string;
  /** The call whose walk it is. */
  readonly call: "stat" | "lstat" | "access";
  /** "ok" or the error's name. */
  readonly answer: Outcome;
  /** The mode in which the walk ended. */
  readonly mode: WalkMode;
  /** Why it left rcu mode, each time; as the counters drop... count. */
  readonly drops: DropReason[];
  /** Why it started again, each time: "ECHILD" in ref mode, "ESTALE" with everything revalidated. */
  readonly restarts: Outcome[];
  readonly steps: TraceStep[];
  /** The file that was found; not of "access". */
  readonly found?: FoundFile;
  readonly error?: WalkError;

  /** @internal */
  constructor({ path, call, steps, found, error }: ExplanationParts) {
    this.path = path;
    this.call = call;
    this.answer = error?.code ?? "ok";
    this.mode = steps.at(-1)?.mode ?? "rcu";
    this.drops = steps.flatMap((step) => (step.step === "drop" ? [step.reason] : []));
    this.restarts = steps.flatMap((step) => (step.step === "restart" ? [step.reason] : []));
    this.steps = steps;
    if (found !== undefined) this.found = found;
    if (error !== undefined) this.error = error;
  }

  /**
   * The steps as text, a line each: the mode, and what was done. Details are left out.
   * @param about what to add behind the path of a step: of the start, of what is found, entered or missing
   */
  lines(about: (step: TraceStep) => string | undefined = () => undefined): string[] {
    const shown = this.steps.filter(({ step }) => step !== "detail");
    return shown.map((step, i) => {
      const added = about(step);
      return `${String(i + 1).padStart(3)}  ${step.mode}  ${sentence(step, added === undefined ? "" : `: ${added}`)}`;
    });
  }

  /** The explanation as text: the steps, and the answer. */
  toString(): string {
    return [`${this.call} "${this.path}"`, "", ...this.lines(), "", `answer: ${this.#told()}`].join("\n");
  }

  #told(): string {
    if (this.error !== undefined) return this.error.message;
    if (this.found === undefined) return "ok";
    const { ino, mode, size } = this.found;
    return `ok: ino ${ino}, mode 0${mode.toString(8)}, size ${size}`;
  }
}

function sentence(step: TraceStep, about: string): string {
  switch (step.step) {
    case "start":
      return `start at ${step.path}${about}${step.revalidate ? "; everything is revalidated" : ""}`;
    case "sequence":
      return `  the sequence of ${step.of} is ${step.sequence}`;
    case "component":
      return `component "${step.name}" in ${step.path}`;
    case "cached":
      return `"${step.prefix}" is in the prefix cache${step.for === "context" ? " of this context, which may search every directory on the way" : ""}: at ${step.path}${about}; the entry holds, of ${count(step.chain.length, "sequence")}; sequence ${step.sequence}; dentry ${hex(step.dentry)}`;
    case "found":
      return `  found ${step.path}${about}${sequence(step)}; dentry ${hex(step.dentry)}`;
    case "missing":
      if (about !== "") return `  ${step.path}${about}`;
      return `  ${step.path} is not ${step.final ? "there, and that is certain" : "cached"}`;
    case "negative":
      return `  ${step.path} is known not to exist`;
    case "parent":
      return `  check ${step.path}${sequence(step)}`;
    case "complete":
      return `  the end: check ${step.path}${sequence(step)}`;
    case "mountDown":
      return `  something is mounted here: down into ${step.path}${about}; mount ${hex(step.mount)}`;
    case "mountUp":
      return `  up out of the mount at ${step.path}; mount ${hex(step.mount)}`;
    case "dotdot":
      return `  ".." from ${step.from} to ${step.path}${about}`;
    case "permission":
      return `  may ${step.path} be searched? ${checked(step)}`;
    case "access":
      return `  may ${step.path} be accessed so? ${checked(step)}`;
    case "generation":
      return `  ${step.path}: generation ${step.entry}, that of the file system is ${step.fileSystem}`;
    case "link":
      return `  link with the body "${step.body}"`;
    case "hook":
      return `  ${step.driver === "" ? `the host's hook ${step.hook}` : `${step.hook}() of the driver ${step.driver}`}: ${step.answer}`;
    case "answer":
      return `answer ${step.answer} at ${step.path}`;
    default:
      return modeSentence(step);
  }
}

/** Steps that have to do with the mode. */
function modeSentence(step: TraceStep): string {
  switch (step.step) {
    case "lockedLookup":
      return `  look again under the lock of ${step.path}`;
    case "linkInRef":
      return `  ${step.path} cannot be followed in rcu mode: ${LINK_IN_REF[step.why]}`;
    case "changed":
      return `  ${changed(step)} has moved since it was ${step.sequence}`;
    case "drop":
      return `  leave rcu mode at ${step.path}: ${REASONS[step.reason]}`;
    case "dropped":
      return step.continued ? `  references taken, on in ref mode` : `  no references to be had: start again`;
    case "restart":
      return `start again: ${step.reason}${step.because ? `, ${changed(step.because)} has moved` : ""}${RESTARTS[step.reason] ?? ""}`;
    case "detail":
      return `  ${step.point} ${hex(step.a)} ${hex(step.b)}`;
    default:
      return step.step;
  }
}

const hex = (address: number): string => `0x${address.toString(16)}`;

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

function sequence({ mode, sequence: number }: { mode: string; sequence: number }): string {
  return mode === "rcu" ? `; sequence ${number}` : "";
}

function checked({ answer, by }: { answer: Outcome; by: CheckedBy }): string {
  return `${answer === "ok" ? "yes" : answer}: ${CHECKED_BY[by]}`;
}

function changed({ what, path }: ChangedWord): string {
  if (what === "dentry") return `the sequence of ${path}`;
  return what === "other" ? "a sequence" : `the sequence of ${what}`;
}

const CHECKED_BY: Record<CheckedBy, string> = {
  everyone: "every user may",
  owner: "the owner's mode bits",
  group: "the group's mode bits",
  other: "the mode bits of others",
  acl: "its ACL",
  "driver acl": "checkAcl() of the driver",
  driver: "permission() of the driver",
  capability: "a capability",
  security: "the host's security hook",
  mount: "the mount's options",
};

const REASONS: Record<DropReason, string> = {
  UNCACHED: "the name is not cached, and looking it up may wait",
  PERMISSION: "permission cannot be checked without waiting",
  REVALIDATE: "the driver has to revalidate the dentry",
  LINK: "a link's body is read with references held",
  REVAL_DOT: "the driver has to revalidate the end of the walk",
  CREATE: "it may have to be made",
};

const LINK_IN_REF = {
  driver: "its driver is asked for the body",
  atime: "its time of access has to be updated",
} as const;

const RESTARTS: Record<string, string> = {
  ECHILD: ": from the start in ref mode",
  ESTALE: ", a cached name is out of date: from the start, everything revalidated",
};
