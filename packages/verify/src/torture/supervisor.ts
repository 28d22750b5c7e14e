/** The threads of a torture run: started, watched and stopped. */
import { WorkerPool } from "../../../cli/dist/support/worker-pool.js";
import type { VfsHandle } from "../../../threadfs/dist/src/index.js";
import { elementAt, stackOf } from "../support/defined.js";
import {
  COUNT,
  type CountIndex,
  Counts,
  controlOf,
  Ring,
  RUNNING,
  type SharedState,
  STATE,
  STOPPED,
} from "./shared-state.js";

export type Role = "reader" | "mixer" | "renamer" | "tracker" | "sleeper" | "fs";

/** What all threads of a run are started with. */
export interface RunData {
  readonly seed: number;
  /** Counts at which the run ends; 0: none. */
  readonly lookups: number;
  readonly renames: number;
}

/** What every worker is started with. */
export interface TortureWorkerData extends RunData {
  readonly handle: VfsHandle;
  readonly sharedState: SharedState;
}

/** One thread's part in a run. */
export interface Part {
  readonly index: number;
  readonly role: Role;
  /** Its number among the threads of its role, and how many these are. */
  readonly member: number;
  readonly among: number;
}

/** "prepare" attaches; "run" makes turns until the run stops, detaches, and returns the failure that it found. */
export type TortureRequest = { task: "prepare"; part: Part } | { task: "run" };

/** What a run found: `index` and `role` are those of a thread. */
export interface Finding {
  readonly message: string;
  readonly index?: number;
  readonly role?: string;
}

interface Member extends Part {
  readonly counts: Counts;
  /** Also before its run. */
  ended: boolean;
  /** The number of turns at the last check, and the time since when it has not grown. */
  turns: number;
  since: number;
}

/** A thread that makes no turn for this time is stuck: longer than the time after which a lock's owner is taken for dead. */
const STUCK_MS = 15_000;
/** The interval between two checks of the threads. */
export const POLL_MS = 50;
/** The longest time limit of a request: watch() finds the threads that are stuck. */
const NO_LIMIT_MS = 2 ** 31 - 1;

const SCRIPT = new URL("./torture.worker.js", import.meta.url);

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export class Supervisor {
  readonly members: readonly Member[];
  readonly failures: Finding[] = [];
  readonly #pool: WorkerPool<TortureRequest>;
  readonly #sharedState: SharedState;
  readonly #control: Int32Array;

  /** Starts a thread for each role. */
  constructor(
    handle: VfsHandle,
    sharedState: SharedState,
    roles: readonly Role[],
    { seed, lookups, renames }: RunData,
  ) {
    this.#sharedState = sharedState;
    this.#control = controlOf(sharedState);
    this.members = roles.map((role, index) => ({
      index,
      role,
      member: roles.slice(0, index).filter((other) => other === role).length,
      among: roles.filter((other) => other === role).length,
      counts: new Counts(sharedState, index),
      ended: true,
      turns: -1,
      since: Date.now(),
    }));
    const workerData: TortureWorkerData = { handle, sharedState, seed, lookups, renames };
    this.#pool = new WorkerPool(SCRIPT, roles.length, "thread", workerData);
  }

  /** Lets the threads run when all are ready. */
  async start(): Promise<void> {
    const ready = await this.#pool.settleAll(
      (i) => ({ task: "prepare", part: partOf(elementAt(this.members, i)) }),
      NO_LIMIT_MS,
    );
    for (const [i, end] of ready.entries()) {
      if (end.status === "rejected") this.#fail(elementAt(this.members, i), end.reason);
    }
    if (this.failures.length > 0) return;
    Atomics.store(this.#control, STATE, RUNNING);
    for (const member of this.members) void this.#run(member);
  }

  /** Returns when the thread has ended. */
  async #run(member: Member): Promise<void> {
    member.ended = false;
    member.since = Date.now();
    try {
      const failure = await this.#pool.ask<string | undefined>(member.index, { task: "run" }, NO_LIMIT_MS);
      if (failure !== undefined) this.#fail(member, failure);
    } catch (error) {
      this.#fail(member, error);
    }
    member.ended = true;
  }

  #fail({ index, role }: Part, reason: unknown): void {
    const cause = reason instanceof Error && reason.cause ? `\n${stackOf(reason.cause)}` : "";
    this.failures.push({ index, role, message: typeof reason === "string" ? reason : stackOf(reason) + cause });
    this.stop();
  }

  stop(): void {
    Atomics.store(this.#control, STATE, STOPPED);
    Atomics.notify(this.#control, STATE);
  }

  get stopped(): boolean {
    return Atomics.load(this.#control, STATE) === STOPPED;
  }

  /** Looks for threads that make no turns. */
  watch(): void {
    const now = Date.now();
    for (const member of this.members) {
      const turns = member.counts.get(COUNT.turns);
      if (turns !== member.turns) {
        member.turns = turns;
        member.since = now;
      } else if (!member.ended && now - member.since > STUCK_MS) {
        const { index, role } = member;
        const [last] = new Ring(this.#sharedState, index).lines(1);
        this.failures.push({ index, role, message: `stuck for ${STUCK_MS} ms in ${last}` });
        member.since = Number.POSITIVE_INFINITY;
        this.stop();
      }
    }
  }

  /** Waits until all threads have ended; terminates them, also those that do not end. */
  async end(): Promise<void> {
    const until = Date.now() + STUCK_MS;
    while (this.members.some(({ ended }) => !ended) && Date.now() < until) await pause(POLL_MS);
    await this.#pool.stop();
  }

  total(which: CountIndex): number {
    return this.members.reduce((sum, { counts }) => sum + counts.get(which), 0);
  }

  /** The last calls of every thread. */
  trace(): string[] {
    return this.members.map(({ index, role }) => {
      const lines = new Ring(this.#sharedState, index).lines();
      return `thread ${index}, ${role}:\n${lines.map((line) => `  ${line}`).join("\n")}`;
    });
  }
}

/** The parameters of one thread. */
function partOf({ index, role, member, among }: Part): Part {
  return { index, role, member, among };
}
