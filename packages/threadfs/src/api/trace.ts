/**
 * Explains a walk: turns the tracepoints that the debug build of the core reports (POINT in abi.ts) into a list of
 * steps.
 *
 *   const trace = new Trace();
 *   const vfs = await createVfs({ core: await loadCore({ url: debugCore }), point: trace.point });
 *   trace.attach(vfs.handle.memory);
 *   trace.start();
 *   vfs.fs.existsSync("/a/b");
 *   for (const step of trace.stop()) console.log(step);
 *
 * Tracepoints carry addresses. Names and link bodies are read at once, while they are valid. For each dentry the path
 * that led to it is recorded, so that a step can say where it is.
 */
import * as DROP from "../../abi/drop.js";
import * as ERRNO from "../../abi/errno.js";
import { PATH_MAX } from "../../abi/limits.js";
import * as POINT from "../../abi/points.js";
import type { SharedMemory } from "../bridge/wasm.js";

/** The mode in which a walk makes a step. */
export type WalkMode = "rcu" | "ref";

/** Why a walk left rcu mode; the names in DROP. */
export type DropReason = keyof typeof DROP;

/** Name of an error, such as "ENOENT", or "ok". */
export type Outcome = string;

/**
 * One step. `path` is the walk's position, as it was reached. Addresses identify dentries, mounts and inodes in the
 * shared memory.
 */
export type TraceStep = { mode: WalkMode } & (
  | { step: "start"; path: string; dentry: number; revalidate: boolean }
  | { step: "component"; path: string; name: string }
  | { step: "found"; path: string; dentry: number; sequence: number }
  /** `final`: the directory is complete, so that the miss proves that the name does not exist. */
  | { step: "missing"; path: string; final: boolean }
  | { step: "parent"; path: string; sequence: number }
  | { step: "mountDown"; path: string; mount: number; dentry: number }
  | { step: "mountUp"; path: string; mount: number; dentry: number }
  | { step: "dotdot"; from: string; path: string; dentry: number }
  | { step: "permission"; path: string; inode: number; answer: Outcome }
  | { step: "link"; path: string; body: string }
  | { step: "lockedLookup"; path: string }
  | { step: "drop"; path: string; reason: DropReason }
  /** `continued`: the walk took references and continues in ref mode; otherwise it starts again. */
  | { step: "dropped"; path: string; continued: boolean }
  | { step: "restart"; reason: Outcome }
  | { step: "complete"; path: string; sequence: number }
  | { step: "answer"; path: string; answer: Outcome }
  /** For work on the core itself: the name of a tracepoint and its numbers. */
  | { step: "detail"; point: string; a: number; b: number }
);

type WithoutMode<T> = T extends unknown ? Omit<T, "mode"> : never;
/** A step without the walk's mode. */
type StepData = WithoutMode<TraceStep>;

const POINT_NAMES = /* @__PURE__ */ new Map<number, string>(Object.entries(POINT).map(([name, id]) => [id, name]));
const ERRNO_NAMES = /* @__PURE__ */ new Map<number, string>(Object.entries(ERRNO).map(([name, id]) => [id, name]));
const DROP_NAMES = /* @__PURE__ */ new Map<number, DropReason>(
  Object.entries(DROP).map(([name, id]) => [id, name as DropReason]),
);

/** A bound on recorded steps. A walk has at most 4096 bytes of path, and 40 links of the same length. */
const MAX_STEPS = 100_000;

/** Records the tracepoints of one thread between `start` and `stop`. */
export class Trace {
  #memory: SharedMemory | undefined;
  #recording = false;
  #steps: TraceStep[] = [];
  #mode: WalkMode = "rcu";
  /** The path that led to each dentry. */
  #paths = new Map<number, string>();
  #startPath = "/";
  /** The directory and the name that are being looked up. */
  #directory = "/";
  #name = "";
  /** The walk's position. */
  #current = "/";

  /** Pass this to `createVfs` or `attachVfs` as `point`. Bound, because it is called as a plain function. */
  readonly point = (id: number, a: number, b: number): void => {
    if (this.#recording && this.#steps.length < MAX_STEPS) this.#record(id, a >>> 0, b >>> 0);
  };

  /** Sets the memory that addresses refer to: that of the tree's handle. */
  attach(memory: SharedMemory): void {
    this.#memory = memory;
  }

  /** Discards recorded steps and starts recording. `startPath`: the name of the working directory in relative paths. */
  start(startPath = "/"): void {
    if (!this.#memory) throw new TypeError("Trace.start: attach a memory first");
    this.#steps = [];
    this.#mode = "rcu";
    this.#paths = new Map();
    this.#startPath = startPath;
    this.#current = startPath;
    this.#recording = true;
  }

  /** Stops recording and returns the steps. */
  stop(): TraceStep[] {
    this.#recording = false;
    return this.#steps;
  }

  #record(id: number, a: number, b: number): void {
    const step = this.#positionStep(id, a, b) ?? this.#otherStep(id, a, b);
    if (step.step === "component") this.#forgetFirstTry(step.path, step.name);
    this.#steps.push({ mode: this.#mode, ...step } as TraceStep);
    if (step.step === "dropped" && step.continued) this.#mode = "ref";
  }

  /**
   * The hot path hands a special component over to the general walk, which reports it again. The first report decided
   * nothing: its component and its permission step are removed.
   */
  #forgetFirstTry(path: string, name: string): void {
    const permission = this.#lastOther("detail", this.#steps.length);
    const asked = this.#steps[permission]?.step === "permission";
    const component = asked ? this.#lastOther("detail", permission) : permission;
    const first = this.#steps[component];
    if (first?.step !== "component" || first.path !== path || first.name !== name || first.mode !== this.#mode) return;
    this.#steps.splice(component, 1);
    const before = this.#lastOther("detail", component);
    if (asked && this.#steps[before]?.step === "permission") this.#steps.splice(before, 1);
  }

  /** Index of the last step before `end` of another kind, or -1. */
  #lastOther(kind: TraceStep["step"], end: number): number {
    let i = end - 1;
    while (i >= 0 && this.#steps[i]?.step === kind) i--;
    return i;
  }

  /** Steps that move the walk. */
  #positionStep(id: number, a: number, b: number): StepData | undefined {
    switch (id) {
      case POINT.WALK_START:
        this.#mode = (a & 1) !== 0 ? "rcu" : "ref";
        this.#arrive(this.#startPath, b);
        return { step: "start", path: this.#current, dentry: b, revalidate: (a & 2) !== 0 };
      case POINT.COMPONENT:
        this.#directory = this.#pathOf(a);
        this.#current = this.#directory;
        this.#name = this.#text(b, true);
        return { step: "component", path: this.#directory, name: this.#name };
      case POINT.FOUND:
        this.#arrive(join(this.#directory, this.#name), a);
        return { step: "found", path: this.#current, dentry: a, sequence: b };
      case POINT.MISS:
        return { step: "missing", path: join(this.#directory, this.#name), final: b === 1 };
      case POINT.MOUNT_DOWN:
        this.#arrive(this.#current, b);
        return { step: "mountDown", path: this.#current, mount: a, dentry: b };
      case POINT.MOUNT_UP:
        this.#arrive(this.#current, b);
        return { step: "mountUp", path: this.#current, mount: a, dentry: b };
      case POINT.DOTDOT: {
        const from = this.#pathOf(a);
        this.#arrive(a === b ? from : from.slice(0, from.lastIndexOf("/")) || "/", b);
        return { step: "dotdot", from, path: this.#current, dentry: b };
      }
      case POINT.LINK: {
        const path = this.#current;
        const body = this.#text(b, false);
        // The walk continues where the body begins.
        this.#current = body.startsWith("/") ? "/" : this.#directory;
        return { step: "link", path, body };
      }
      default:
        return undefined;
    }
  }

  /** Steps that report checks, the mode, and the end. */
  #otherStep(id: number, a: number, b: number): StepData {
    switch (id) {
      case POINT.PARENT_CHECK:
        return { step: "parent", path: this.#pathOf(a), sequence: b };
      case POINT.PERMISSION:
        return { step: "permission", path: this.#current, inode: a, answer: outcome(b) };
      case POINT.LOCKED_LOOKUP:
        return { step: "lockedLookup", path: this.#pathOf(a) };
      case POINT.DROP:
        return { step: "drop", path: this.#current, reason: DROP_NAMES.get(a) as DropReason };
      case POINT.DROPPED:
        return { step: "dropped", path: this.#current, continued: a === 1 };
      case POINT.RESTART:
        return { step: "restart", reason: outcome(-a) };
      case POINT.COMPLETE:
        return { step: "complete", path: this.#pathOf(a), sequence: b };
      case POINT.ANSWER:
        return { step: "answer", path: this.#current, answer: outcome(a) };
      default:
        return { step: "detail", point: POINT_NAMES.get(id) ?? String(id), a, b };
    }
  }

  #arrive(path: string, dentry: number): void {
    this.#current = path;
    this.#paths.set(dentry, path);
  }

  #pathOf(dentry: number): string {
    return this.#paths.get(dentry) ?? this.#current;
  }

  /** Reads text that ends with a NUL, or with a slash if it is a name. */
  #text(address: number, name: boolean): string {
    if (!this.#memory) return "";
    // A memory that has grown has a new buffer, so it is read each time.
    const bytes = new Uint8Array(this.#memory.buffer, address);
    let length = 0;
    const most = Math.min(bytes.length, PATH_MAX);
    while (length < most && bytes[length] !== 0 && !(name && bytes[length] === SLASH)) length++;
    return new TextDecoder().decode(bytes.slice(0, length));
  }
}

const SLASH = 47;

function join(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

/** "ok" for 0, else the error's name. */
function outcome(value: number): Outcome {
  const answer = value | 0;
  return answer >= 0 ? "ok" : (ERRNO_NAMES.get(-answer) ?? `errno ${-answer}`);
}
