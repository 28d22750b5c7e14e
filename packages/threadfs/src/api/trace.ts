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
import * as DRIVER_OP from "../../abi/driver-ops.js";
import * as DROP from "../../abi/drop.js";
import * as ERRNO from "../../abi/errno.js";
import { PATH_MAX } from "../../abi/limits.js";
import {
  CHECK_ACL,
  CHECK_CAPABILITY,
  CHECK_DRIVER,
  CHECK_DRIVER_ACL,
  CHECK_GROUP,
  CHECK_OTHER,
  CHECK_OWNER,
  CHECK_SECURITY,
} from "../../abi/permissions.js";
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
  | { step: "component"; path: string; name: string; kind: ComponentKind }
  | { step: "found"; path: string; dentry: number; sequence: number }
  /** `final`: the directory is complete, so that the miss proves that the name does not exist. */
  | { step: "missing"; path: string; final: boolean }
  /** A name that is known not to exist. */
  | { step: "negative"; path: string; dentry: number }
  | { step: "parent"; path: string; sequence: number }
  | { step: "mountDown"; path: string; mount: number; dentry: number }
  | { step: "mountUp"; path: string; mount: number; dentry: number }
  | { step: "dotdot"; from: string; path: string; dentry: number }
  | { step: "permission"; path: string; inode: number; by: CheckedBy; answer: Outcome }
  /** The access that was asked for, at the end of the walk. */
  | { step: "access"; path: string; inode: number; by: CheckedBy; answer: Outcome }
  | { step: "link"; path: string; body: string }
  | { step: "lockedLookup"; path: string }
  | { step: "drop"; path: string; reason: DropReason }
  /** Why a link is not followed in rcu mode. */
  | { step: "linkInRef"; path: string; why: "driver" | "atime" }
  /** `continued`: the walk took references and continues in ref mode; otherwise it starts again. */
  | { step: "dropped"; path: string; continued: boolean }
  /** `because`: what had changed under the walk, if that is why. */
  | { step: "restart"; reason: Outcome; because?: ChangedWord }
  | { step: "complete"; path: string; sequence: number }
  | { step: "answer"; path: string; answer: Outcome }
  /** A sequence that the walk compares with later. */
  | { step: "sequence"; of: "mounts" | "renames"; sequence: number }
  /**
   * The prefix cache knew the way, and no component of `prefix` was walked: the sequences of its entry hold, which were compared one by one, or at once
   * by the count of changes of directories and links. `for`: "context" if not every user may search the directories on the way, as this context may.
   */
  | {
      step: "cached";
      path: string;
      prefix: string;
      dentry: number;
      sequence: number;
      chain: ChainLink[];
      for: "everyone" | "context";
    }
  /** An entry of a driver that has a generation number: good without revalidate() if both are the same. */
  | { step: "generation"; path: string; entry: number; fileSystem: number }
  /** A sequence has moved, or was odd, since the walk read it as `sequence`. */
  | ({ step: "changed"; sequence: number } & ChangedWord)
  /** A hook was called: of the driver of this name, or of the host (""). */
  | { step: "hook"; path: string; hook: string; driver: string; answer: Outcome }
  /** For work on the core itself: the name of a tracepoint and its numbers. */
  | { step: "detail"; point: string; a: number; b: number }
);

/** What a component is: a name to look up, ".", or "..". */
export type ComponentKind = "name" | "dot" | "dotdot";

/**
 * Who decided on a permission: every user may search the directory; mode bits; an ACL in memory; hooks of the driver; a capability where those had
 * refused; the host's security hook; the mount's options.
 */
export type CheckedBy =
  | "everyone"
  | "owner"
  | "group"
  | "other"
  | "acl"
  | "driver acl"
  | "driver"
  | "capability"
  | "security"
  | "mount";

/** A dentry, an inode or another word and the sequence that an entry of the prefix cache has for it. */
export interface ChainLink {
  address: number;
  sequence: number;
}

/** What has a sequence that has changed. `path`: of a dentry that the walk has passed. */
export interface ChangedWord {
  what: "dentry" | "mounts" | "renames" | "other";
  path?: string;
}

type WithoutMode<T> = T extends unknown ? Omit<T, "mode"> : never;
/** A step without the walk's mode. */
type StepData = WithoutMode<TraceStep>;

const POINT_NAMES = /* @__PURE__ */ new Map<number, string>(Object.entries(POINT).map(([name, id]) => [id, name]));
const ERRNO_NAMES = /* @__PURE__ */ new Map<number, string>(Object.entries(ERRNO).map(([name, id]) => [id, name]));
const DROP_NAMES = /* @__PURE__ */ new Map<number, DropReason>(
  Object.entries(DROP).map(([name, id]) => [id, name as DropReason]),
);

const CHECKED_BY: Readonly<Record<number, CheckedBy>> = {
  [CHECK_OWNER]: "owner",
  [CHECK_GROUP]: "group",
  [CHECK_OTHER]: "other",
  [CHECK_ACL]: "acl",
  [CHECK_DRIVER_ACL]: "driver acl",
  [CHECK_DRIVER]: "driver",
  [CHECK_CAPABILITY]: "capability",
  [CHECK_SECURITY]: "security",
};

/** Points that belong to the step before or behind them. */
const SILENT: ReadonlySet<number> = /* @__PURE__ */ new Set([
  POINT.CHECK,
  POINT.PREFIX_ENTRY,
  POINT.PREFIX_CONTEXT,
  POINT.PREFIX_SEQ,
]);
/** Steps that may stand inside of a component that is reported twice. */
const BESIDE: ReadonlySet<TraceStep["step"]> = /* @__PURE__ */ new Set(["detail", "generation"] as const);

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
  /** Who has decided on the permission of an inode last. */
  #checks = new Map<number, CheckedBy>();
  /** The entry of the prefix cache that is being reported. */
  #prefix = "";
  #chain: ChainLink[] = [];
  #cachedFor: "everyone" | "context" = "everyone";
  /** Addresses of the sequences of mounts and of renames. */
  #words = new Map<number, "mounts" | "renames">();

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
    this.#checks = new Map();
    this.#words = new Map();
    this.#startPath = startPath;
    this.#current = startPath;
    this.#recording = true;
  }

  /** Stops recording and returns the steps. */
  stop(): TraceStep[] {
    this.#recording = false;
    return this.#steps;
  }

  /** Records the call of a hook, which the core does not report. `op`: DRIVER_OP, -1 for the host's security hook. */
  hook(name: string, driver: string, op: number, answer: number): void {
    if (!this.#recording || this.#steps.length >= MAX_STEPS) return;
    const step = { step: "hook", path: this.#current, hook: name, driver, answer: hookAnswer(op, answer) } as const;
    this.#steps.push({ mode: this.#mode, ...step });
  }

  #record(id: number, a: number, b: number): void {
    if (SILENT.has(id)) {
      this.#remember(id, a, b);
      return;
    }
    const step = this.#positionStep(id, a, b) ?? this.#otherStep(id, a, b);
    if (step.step === "component") this.#forgetFirstTry(step.path, step.name);
    this.#steps.push({ mode: this.#mode, ...step } as TraceStep);
    if (step.step === "dropped" && step.continued) this.#mode = "ref";
  }

  #remember(id: number, a: number, b: number): void {
    if (id === POINT.CHECK) {
      this.#checks.set(a, CHECKED_BY[b] ?? "everyone");
    } else if (id === POINT.PREFIX_SEQ) {
      this.#chain.push({ address: a, sequence: b });
    } else if (id === POINT.PREFIX_CONTEXT) {
      this.#cachedFor = "context";
    } else {
      this.#prefix = this.#decode(a, b);
      this.#cachedFor = "everyone";
      this.#chain = [];
    }
  }

  /**
   * The hot path hands a special component over to the general walk, which reports it again. The first report decided
   * nothing: its component and its permission step are removed.
   */
  #forgetFirstTry(path: string, name: string): void {
    const permission = this.#lastStep(this.#steps.length);
    const asked = this.#steps[permission]?.step === "permission";
    const component = asked ? this.#lastStep(permission) : permission;
    const first = this.#steps[component];
    if (first?.step !== "component" || first.path !== path || first.name !== name || first.mode !== this.#mode) return;
    const behind = this.#steps.splice(component).slice(1);
    this.#steps.push(...behind.filter((step) => step.step !== "generation"));
    const before = this.#lastStep(component);
    if (asked && this.#steps[before]?.step === "permission") this.#steps.splice(before, 1);
  }

  /** Index of the last step before `end` that is not beside others, or -1. */
  #lastStep(end: number): number {
    let i = end - 1;
    while (i >= 0 && BESIDE.has(this.#steps[i]?.step ?? "detail")) i--;
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
        return { step: "component", path: this.#directory, name: this.#name, kind: kindOf(this.#name) };
      case POINT.FOUND:
        this.#arrive(join(this.#directory, this.#name), a);
        return { step: "found", path: this.#current, dentry: a, sequence: b };
      case POINT.PREFIX_FOUND:
        this.#arrive(join(this.#current, this.#prefix.replace(/^\/+/, "")), a);
        return {
          ...{ step: "cached", path: this.#current, prefix: this.#prefix },
          ...{ dentry: a, sequence: b, chain: this.#chain, for: this.#cachedFor },
        };
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
        return { step: "permission", path: this.#current, inode: a, by: this.#checkedBy(a, b), answer: outcome(b) };
      case POINT.LOCKED_LOOKUP:
        return { step: "lockedLookup", path: this.#pathOf(a) };
      case POINT.DROP:
        return { step: "drop", path: this.#current, reason: DROP_NAMES.get(a) as DropReason };
      case POINT.DROPPED:
        return { step: "dropped", path: this.#current, continued: a === 1 };
      case POINT.RESTART:
        return { step: "restart", reason: outcome(-a), ...this.#because(a) };
      case POINT.COMPLETE:
        return { step: "complete", path: this.#pathOf(a), sequence: b };
      case POINT.ANSWER:
        return { step: "answer", path: this.#current, answer: outcome(a) };
      case POINT.MOUNT_SEQ:
      case POINT.RENAME_SEQ: {
        const of = id === POINT.MOUNT_SEQ ? "mounts" : "renames";
        this.#words.set(b, of);
        return { step: "sequence", of, sequence: a };
      }
      case POINT.SEQ_CHANGED:
        return { step: "changed", ...this.#wordAt(a), sequence: b };
      case POINT.ACCESS:
        return { step: "access", path: this.#current, inode: a, by: this.#checkedBy(a, b), answer: outcome(b) };
      case POINT.NEGATIVE:
        return { step: "negative", path: this.#current, dentry: a };
      case POINT.LINK_REF:
        return { step: "linkInRef", path: this.#current, why: b === 1 ? "driver" : "atime" };
      case POINT.GENERATION:
        return { step: "generation", path: join(this.#directory, this.#name), entry: a, fileSystem: b };
      default:
        return { step: "detail", point: POINT_NAMES.get(id) ?? String(id), a, b };
    }
  }

  /** The mount's options refuse without a check: the number is then a mount's, not an inode's. */
  #checkedBy(inode: number, answer: number): CheckedBy {
    return this.#checks.get(inode) ?? ((answer | 0) === -ERRNO.ELOOP ? "mount" : "everyone");
  }

  /** What a sequence at an address belongs to. */
  #wordAt(address: number): ChangedWord {
    const what = this.#words.get(address);
    if (what !== undefined) return { what };
    const path = this.#paths.get(address);
    return path === undefined ? { what: "other" } : { what: "dentry", path };
  }

  /** The change that made the walk start again: the last step says it. The hot path compares a parent's sequence itself. */
  #because(errno: number): { because?: ChangedWord } {
    const last = this.#steps[this.#lastStep(this.#steps.length)];
    if (errno !== ERRNO.ECHILD || last === undefined) return {};
    if (last.step === "changed") {
      const { what, path } = last;
      return { because: path === undefined ? { what } : { what, path } };
    }
    return last.step === "parent" ? { because: { what: "dentry", path: last.path } } : {};
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
    return this.#decode(address, length);
  }

  #decode(address: number, length: number): string {
    if (!this.#memory) return "";
    return new TextDecoder().decode(new Uint8Array(this.#memory.buffer, address, length).slice());
  }
}

const SLASH = 47;

function join(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

function kindOf(name: string): ComponentKind {
  return name === "." ? "dot" : name === ".." ? "dotdot" : "name";
}

/** What a hook has answered. */
function hookAnswer(op: number, answer: number): Outcome {
  if (answer < 0 || (op !== DRIVER_OP.REVALIDATE && op !== DRIVER_OP.COMPARE)) return outcome(answer);
  if (op === DRIVER_OP.COMPARE) return answer === 0 ? "equal" : "different";
  return answer === DRIVER_OP.STALE ? "stale" : "valid";
}

/** "ok" for 0, else the error's name. */
function outcome(value: number): Outcome {
  const answer = value | 0;
  return answer >= 0 ? "ok" : (ERRNO_NAMES.get(-answer) ?? `errno ${-answer}`);
}
