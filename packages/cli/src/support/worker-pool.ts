/**
 * Worker threads that handle requests. Every request has a time limit, and the end of a worker that was not
 * asked to end is an error: the caller never waits for a thread that is no longer there.
 *
 * The main thread has a WorkerPool; each worker calls serveRequests(). A pool that waits for no reply does not keep the
 * process alive.
 */
import { parentPort, Worker } from "node:worker_threads";
import { CliError, type ErrorNote, noteOf } from "./errors.js";

/** A request: `task` names what the worker is to do. */
export interface Request {
  task: string;
}

/** The last request to a worker; it does not reach the worker's own handler. */
const CLOSE = "close";

interface Reply {
  /** The number of the request. */
  id: number;
  value?: unknown;
  error?: ErrorNote;
}

/** A request without its reply yet. */
interface Pending {
  task: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

class PoolWorker {
  readonly worker: Worker;
  readonly #name: string;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #death: CliError | undefined;
  #stopping = false;

  constructor(script: URL, name: string, workerData: unknown) {
    this.#name = name;
    this.worker = new Worker(script, { workerData, name });
    this.worker.on("message", (reply: Reply) => this.#settle(reply));
    this.worker.on("error", (error) => this.#die(`ended with an error: ${error.message}`, error));
    this.worker.on("exit", (status) => this.#die(`ended with status ${status}`));
    // The timers of pending requests keep the process alive.
    this.worker.unref();
  }

  ask(request: Request, timeout: number): Promise<unknown> {
    if (this.#death) return Promise.reject(this.#death);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new CliError("ETIMEDOUT", `${this.#name}: "${request.task}" took more than ${timeout / 1000} s`));
      }, timeout);
      this.#pending.set(id, { task: request.task, resolve, reject, timer });
      this.worker.postMessage({ id, request });
    });
  }

  async stop(timeout: number): Promise<void> {
    this.#stopping = true;
    if (!this.#death) await this.ask({ task: CLOSE }, timeout).catch(() => undefined);
    await this.worker.terminate();
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    this.#pending.delete(reply.id);
    clearTimeout(pending.timer);
    if (reply.error) {
      const error = new CliError(reply.error.code, `${this.#name}, "${pending.task}": ${reply.error.message}`);
      error.stack = reply.error.stack;
      pending.reject(error);
    } else pending.resolve(reply.value);
  }

  #die(how: string, cause?: Error): void {
    if (this.#death) return;
    this.#death = new CliError("ERR_WORKER_DIED", `${this.#name} ${how}`);
    if (cause) this.#death.cause = cause;
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      if (this.#stopping) pending.resolve(undefined);
      else pending.reject(this.#death);
    }
    this.#pending.clear();
  }
}

/** Time for a worker to close what it has open before it is terminated, in ms. */
const STOP_TIMEOUT = 5_000;

/** `R`: the requests that the workers' script knows. */
export class WorkerPool<R extends Request = Request> {
  readonly #workers: PoolWorker[];

  /** Starts `count` workers that run `script`. They count as ready when they have replied to a first request. */
  constructor(script: URL, count: number, name: string, workerData?: unknown) {
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
   * Sends a request to one worker; returns the reply.
   * @param timeout ms
   * @throws CliError ETIMEDOUT, ERR_WORKER_DIED, or the error that the worker threw
   */
  async ask<T>(index: number, request: R, timeout: number): Promise<T> {
    const worker = this.#workers[index];
    if (!worker) throw new RangeError(`there is no worker ${index}`);
    return (await worker.ask(request, timeout)) as T;
  }

  /** Sends `request(index)` to every worker at once; returns all replies. Throws the first error, as ask() does. */
  async askAll<T>(request: (index: number) => R, timeout: number): Promise<T[]> {
    return Promise.all(this.#workers.map((_, i) => this.ask<T>(i, request(i), timeout)));
  }

  /** As askAll(), but waits for all replies, also when a request fails. */
  async settleAll<T>(request: (index: number) => R, timeout: number): Promise<PromiseSettledResult<T>[]> {
    return Promise.allSettled(this.#workers.map((_, i) => this.ask<T>(i, request(i), timeout)));
  }

  /** Asks every worker to close, then terminates it. */
  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop(STOP_TIMEOUT)));
  }
}

/**
 * In a worker: handles the pool's requests, one at a time in their order, and sends back what `handle` returns or throws.
 * @param close called for the pool's stop(), even while a request is being handled
 */
export function serveRequests<R extends Request>(
  handle: (request: R) => unknown,
  close: () => unknown = () => undefined,
): void {
  if (!parentPort) throw new CliError("EINVAL", "this file is a worker's and does nothing by itself");
  const port = parentPort;
  let last: Promise<void> = Promise.resolve();
  const reply = async (id: number, request: R): Promise<void> => {
    let message: Reply;
    try {
      message = { id, value: await (request.task === CLOSE ? close() : handle(request)) };
    } catch (error) {
      message = { id, error: noteOf(error) };
    }
    port.postMessage(message);
  };
  port.on("message", ({ id, request }: { id: number; request: R }) => {
    if (request.task === CLOSE) void reply(id, request);
    else last = last.then(() => reply(id, request));
  });
}
