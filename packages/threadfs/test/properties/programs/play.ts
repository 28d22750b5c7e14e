/**
 * Plays random programs: on threadfs in contexts of the test's process, on the kernel in a process for each actor, which the oracle's
 * process starts. One call is made after another, whichever actor makes it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { defined } from "../../../../cli/dist/support/defined.js";
import type { Context, Vfs } from "../../../dist/src/index.js";
import type { Credentials } from "../../conformance/support/case.js";
import { type Listing, listing } from "../../conformance/support/outcome.js";
import type { Target } from "../../conformance/support/targets.js";
import { asReply } from "../../support/oracle/oracle.js";
import { plant } from "../commands.js";
import { Actor, type Side } from "./actor.js";
import { CALLS } from "./calls.js";
import { plantFiles } from "./operands.js";
import { ACTORS, type ActorSpec, FLOOR_PATH, type Program, type ProgramStep } from "./program.js";
import { type Outcome, outcomeOf } from "./shown.js";

/** What a program came to: the outcome of each call, and the tree at the end. */
export interface Played {
  readonly outcomes: readonly Outcome[];
  /** Null: too deep for paths. */
  readonly tree: Listing | null;
}

/** The tree below a directory; null if it has a path that is too long for a call. */
function treeOf({ fs }: Target, dir: string): Listing | null {
  try {
    return listing(fs, dir);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENAMETOOLONG") return null;
    throw error;
  }
}

/** Makes one call. */
export function playStep(actor: Actor, { name, form, operands }: ProgramStep): Promise<Outcome> {
  return outcomeOf(() => CALLS[name].run(actor, operands, form), actor.side.dir);
}

/** What a process of the kernel's side is told. */
export type Told =
  | {
      readonly kind: "begin";
      readonly dir: string;
      readonly cwd: string;
      readonly umask: number;
      readonly rooted: boolean;
    }
  | { readonly kind: "step"; readonly step: ProgramStep }
  | { readonly kind: "end" };

/** The users of a program. */
function specs({ rooted }: Program): readonly ActorSpec[] {
  return ACTORS.map((spec) => ({ ...spec, rooted: rooted && spec.rooted }));
}

/** Makes the tree in which all programs start. Returns its directory. */
function prepare({ fs }: Target, dir: string): string {
  const floor = dir + FLOOR_PATH;
  fs.mkdirSync(floor, { recursive: true });
  plant(fs, floor);
  plantFiles(fs, floor);
  fs.chmodSync(floor, 0o777);
  fs.chmodSync(dir, 0o755);
  for (const [n, name] of ["a", "a/a", "a/b", "b"].entries()) fs.chownSync(floor + name, 1000 + (n % 2), 1000);
  return floor;
}

/** A process that is one user on the kernel. */
class KernelUser {
  readonly #child: ChildProcess;
  #waiting: { resolve(value: unknown): void; reject(error: Error): void } | undefined;

  constructor(user: Credentials) {
    this.#child = fork(new URL("./actor.process.js", import.meta.url), [JSON.stringify(user)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child.on("message", (value) => this.#waiting?.resolve(value));
    this.#child.on("exit", (code, signal) => {
      this.#waiting?.reject(new Error(`the process of uid ${user.uid} ended: ${signal ?? code}`));
    });
    // The oracle's process ends when nothing but its users is left.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  tell(told: Told): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.send(told);
    });
  }
}

let users: readonly KernelUser[] | undefined;

/** In the oracle's process: plays a program on the kernel. */
async function playKernel(kernel: Target, dir: string, program: Program): Promise<Played> {
  const floor = prepare(kernel, dir);
  users ??= ACTORS.map((user) => new KernelUser(user));
  const byNumber = (n: number): KernelUser => defined(users?.[n], `user ${n}`);
  for (const n of users.keys()) {
    const umask = defined(program.umasks[n], "umask");
    const { rooted } = program;
    await byNumber(n).tell({ kind: "begin", dir, cwd: floor + program.cwds[n], umask, rooted });
  }
  const outcomes: Outcome[] = [];
  for (const step of program.steps) outcomes.push((await byNumber(step.actor).tell({ kind: "step", step })) as Outcome);
  for (const n of users.keys()) await byNumber(n).tell({ kind: "end" });
  return { outcomes, tree: treeOf(kernel, dir) };
}

function contextOf(vfs: Vfs, dir: string, spec: ActorSpec, program: Program, n: number): Context {
  const { rooted, ...credentials } = spec;
  const cwd = FLOOR_PATH + program.cwds[n];
  return vfs.context({
    ...credentials,
    umask: defined(program.umasks[n], "umask"),
    root: rooted ? dir : "/",
    cwd: rooted ? cwd : dir + cwd,
  });
}

function sideOf(context: Context, dir: string, { rooted, uid }: ActorSpec, program: Program): Side {
  return {
    fs: context.fs,
    uid,
    rooted: program.rooted,
    dir,
    base: rooted ? FLOOR_PATH : dir + FLOOR_PATH,
    chdir: (path) => context.chdir(path),
    umask: (mask) => context.umask(mask),
  };
}

/** Plays a program on threadfs. */
async function playOurs(ours: Target, vfs: Vfs, dir: string, given: Program): Promise<Played> {
  prepare(ours, dir);
  // As the other side gets it: properties that are undefined are left out.
  const program = asReply(given);
  const users = specs(program);
  const contexts = users.map((user, n) => contextOf(vfs, dir, user, program, n));
  const actors = contexts.map((context, n) => new Actor(sideOf(context, dir, defined(users[n], "actor"), program)));
  try {
    for (const actor of actors) await actor.begin();
    const outcomes: Outcome[] = [];
    for (const step of program.steps) outcomes.push(await playStep(defined(actors[step.actor], "actor"), step));
    for (const actor of actors) await actor.end();
    return { outcomes, tree: treeOf(ours, dir) };
  } finally {
    for (const context of contexts) context.close();
  }
}

let runs = 0;

/** Plays a program in a fresh directory, on whichever side. */
export async function play(target: Target, program: Program): Promise<Played> {
  const dir = `${target.root}/program${++runs}`;
  target.fs.mkdirSync(dir);
  try {
    return target.vfs ? await playOurs(target, target.vfs, dir, program) : await playKernel(target, dir, program);
  } finally {
    target.fs.rmSync(dir, { recursive: true, force: true });
  }
}
