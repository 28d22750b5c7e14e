/**
 * The worker threads of a job. Every question to a worker has a time within which it must be answered, and the end
 * of a worker that nobody asked to end is an error: nothing waits for a thread that is no longer there.
 */
import { Worker } from "node:worker_threads";
import { CliError, type ErrorNote } from "../support/errors.js";

/** What goes to a worker: `task` is one of the names in worker.ts. */
export interface Request {
  task: string;
}

/** What comes back, with the number of the order. */
export interface Reply {
  id: number;
  value?: unknown;
  error?: ErrorNote;
}

interface Waiting {
  task: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

class PoolWorker {
  readonly worker: Worker;
  readonly #name: string;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #death: CliError | undefined;
  #stopping = false;

  constructor(script: URL, name: string, workerData: unknown) {
    this.#name = name;
    this.worker = new Worker(script, { workerData, name });
    this.worker.on("message", (reply: Reply) => this.#settle(reply));
    this.worker.on("error", (error) => this.#die(`ended with an error: ${error.message}`));
    this.worker.on("exit", (status) => this.#die(`ended with status ${status}`));
  }

  ask(request: Request, timeout: number): Promise<unknown> {
    if (this.#death) return Promise.reject(this.#death);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new CliError("ETIMEDOUT", `${this.#name}: "${request.task}" took more than ${timeout / 1000} s`));
      }, timeout);
      this.#waiting.set(id, { task: request.task, resolve, reject, timer });
      this.worker.postMessage({ id, request });
    });
  }

  async stop(timeout: number): Promise<void> {
    this.#stopping = true;
    if (!this.#death) await this.ask({ task: "close" }, timeout).catch(() => undefined);
    await this.worker.terminate();
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    this.#waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if (reply.error) {
      const error = new CliError(reply.error.code, `${this.#name}, "${waiting.task}": ${reply.error.message}`);
      error.stack = reply.error.stack;
      waiting.reject(error);
    } else waiting.resolve(reply.value);
  }

  #die(how: string): void {
    if (this.#death) return;
    this.#death = new CliError("ERR_WORKER_DIED", `${this.#name} ${how}`);
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      if (this.#stopping) waiting.resolve(undefined);
      else waiting.reject(this.#death);
    }
    this.#waiting.clear();
  }
}

/** Time for a worker to close its tree before it is terminated, in ms. */
const STOP_TIMEOUT = 5_000;

export class WorkerPool {
  readonly #workers: PoolWorker[];

  /** Starts `count` workers that run `script`; each is ready when it answers its first order. */
  constructor(script: URL, count: number, name: string, workerData: unknown) {
    this.#workers = Array.from({ length: count }, (_, i) => new PoolWorker(script, `${name} ${i + 1}`, workerData));
  }

  get size(): number {
    return this.#workers.length;
  }

  /** The threads themselves. */
  get workers(): Worker[] {
    return this.#workers.map((worker) => worker.worker);
  }

  /**
   * Gives every worker an order, made by `request(index)`, and waits for all answers.
   * @param timeout ms
   * @throws CliError ETIMEDOUT, ERR_WORKER_DIED, or what the worker threw
   */
  async askAll<T>(request: (index: number) => Request, timeout: number): Promise<T[]> {
    const answers = this.#workers.map((worker, i) => worker.ask(request(i), timeout));
    return (await Promise.all(answers)) as T[];
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop(STOP_TIMEOUT)));
  }
}
