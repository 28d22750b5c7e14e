/** The threads of a torture run: started, watched and stopped. */
import { Worker } from "node:worker_threads";
import type { VfsHandle } from "../../../threadfs/dist/src/index.js";
import { stackOf } from "../support/defined.js";
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
export interface PoolOptions {
  readonly seed: number;
  /** Counts at which the run ends; 0: none. */
  readonly lookups: number;
  readonly renames: number;
}

/** What one thread is started with. */
export interface MemberData extends PoolOptions {
  readonly handle: VfsHandle;
  readonly sharedState: SharedState;
  readonly index: number;
  readonly role: Role;
  /** Its number among the threads of its role, and how many these are. */
  readonly member: number;
  readonly among: number;
}

export type MemberMessage = { kind: "ready" | "done" } | { kind: "failed"; message: string };

/** What a run found: `index` and `role` are those of a thread. */
export interface Finding {
  readonly message: string;
  readonly index?: number;
  readonly role?: string;
}

interface Member {
  readonly index: number;
  readonly role: Role;
  readonly worker: Worker;
  readonly counts: Counts;
  ready: Promise<void>;
  ended: boolean;
  /** Turns at the last look, and since when there have been no more. */
  turns: number;
  since: number;
}

/** A thread that makes no turn for so long is stuck: longer than the time after which a lock's owner is taken for dead. */
const STUCK_MS = 15_000;
/** How often a run looks after its threads. */
export const POLL_MS = 50;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export class WorkerPool {
  readonly members: Member[] = [];
  readonly failures: Finding[] = [];
  readonly #sharedState: SharedState;
  readonly #control: Int32Array;

  constructor(sharedState: SharedState) {
    this.#sharedState = sharedState;
    this.#control = controlOf(sharedState);
  }

  /** Starts a thread for each role, and lets them run when all are ready. */
  async start(handle: VfsHandle, roles: readonly Role[], options: PoolOptions): Promise<void> {
    for (const [index, role] of roles.entries()) {
      const member = roles.slice(0, index).filter((other) => other === role).length;
      const among = roles.filter((other) => other === role).length;
      const data = { handle, sharedState: this.#sharedState, index, role, member, among, ...options };
      this.members.push(this.#startWorker(data));
    }
    await Promise.all(this.members.map(({ ready }) => ready));
    Atomics.store(this.#control, STATE, RUNNING);
    Atomics.notify(this.#control, STATE);
  }

  #startWorker(workerData: MemberData): Member {
    const { index, role } = workerData;
    const worker = new Worker(new URL("./torture.worker.js", import.meta.url), { workerData });
    const fail = (message: string) => {
      this.failures.push({ index, role, message });
      this.stop();
    };
    const counts = new Counts(this.#sharedState, index);
    const member: Member = {
      index,
      role,
      worker,
      counts,
      ready: Promise.resolve(),
      ended: false,
      turns: -1,
      since: Date.now(),
    };
    member.ready = new Promise((resolve) => {
      worker.on("message", (message: MemberMessage) => {
        if (message.kind === "failed") fail(message.message);
        resolve();
      });
      worker.on("error", (error) => fail(`the thread ended with ${stackOf(error)}`));
      worker.on("exit", () => {
        member.ended = true;
        resolve();
      });
    });
    return member;
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

  /** Waits until all threads have ended; it terminates those that do not end. */
  async end(): Promise<void> {
    const until = Date.now() + STUCK_MS;
    while (this.members.some(({ ended }) => !ended) && Date.now() < until) await pause(POLL_MS);
    for (const { worker } of this.members) await worker.terminate();
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
