/** The threads of a torture run: started, watched and stopped. */
import { WorkerPool } from "../../../cli/dist/support/worker-pool.js";
import type { VfsHandle } from "../../../threadfs/dist/src/index.js";
import { elementAt, stackOf } from "../support/defined.js";
import { HANG_MS, pause } from "../support/hang.js";
import {
  COUNT,
  type CountIndex,
  Counts,
  controlOf,
  RESTING,
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
  /** It is not waited for. */
  stuck: boolean;
  /** The number of turns at the last check, and the times since when it has not grown. */
  turns: number;
  since: Times;
}

/** The time, and the processor time that all threads have used, in milliseconds. */
interface Times {
  readonly clock: number;
  readonly processor: number;
}

function present(): Times {
  const { user, system } = process.cpuUsage();
  return { clock: performance.now(), processor: (user + system) / 1000 };
}

/**
 * A thread is stuck that makes no turn while the threads use as much processor time as gives each of them this much: longer than the time
 * after which a lock's owner is taken for dead. On a busy machine they use it later.
 */
const STUCK_MS = 15_000;
/** The interval between two checks of the threads. */
export const POLL_MS = 50;
/** The longest time limit of a request: watch() finds the threads that are stuck. */
const NO_LIMIT_MS = 2 ** 31 - 1;

const SCRIPT = new URL("./torture.worker.js", import.meta.url);

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
      stuck: false,
      turns: -1,
      since: present(),
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
    member.since = present();
    try {
      const failure = await this.#pool.ask<string | undefined>(member.index, { task: "run" }, NO_LIMIT_MS);
      if (failure !== undefined) this.#fail(member, failure);
    } catch (error) {
      this.#fail(member, error);
      this.#givenUp();
    }
    member.ended = true;
  }

  #fail({ index, role }: Part, reason: unknown): void {
    const cause = reason instanceof Error && reason.cause ? `\n${stackOf(reason.cause)}` : "";
    this.failures.push({ index, role, message: typeof reason === "string" ? reason : stackOf(reason) + cause });
    this.stop();
  }

  /** The others do not wait for a thread that will make no last turn. */
  #givenUp(): void {
    Atomics.add(this.#control, RESTING, 1);
    Atomics.notify(this.#control, RESTING);
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
    const now = present();
    const most = STUCK_MS * this.members.length;
    for (const member of this.members) {
      const turns = member.counts.get(COUNT.turns);
      if (turns !== member.turns) {
        member.turns = turns;
        member.since = now;
        continue;
      }
      const { ended, stuck, since, index, role } = member;
      const hangs = now.processor - since.processor > most || now.clock - since.clock > HANG_MS;
      if (hangs && !ended && !stuck) {
        const [last] = new Ring(this.#sharedState, index).lines(1);
        this.failures.push({ index, role, message: `stuck in ${last}` });
        member.stuck = true;
        this.#givenUp();
        this.stop();
      }
    }
  }

  /** Waits until all threads have ended that are not stuck, then terminates all. */
  async end(): Promise<void> {
    while (this.members.some(({ ended, stuck }) => !ended && !stuck)) {
      await pause(POLL_MS);
      this.watch();
    }
    await this.#pool.stop();
  }

  /** The turns of the thread that has made the fewest. */
  get fewestTurns(): number {
    return Math.min(...this.members.map(({ counts }) => counts.get(COUNT.turns)));
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
