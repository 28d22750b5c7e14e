/**
 * The work of the asynchronous forms. It is done at once, in the calling thread, as far as it goes. Where another thread keeps it
 * waiting, the thread returns to its event loop, and goes on when what it waits for may be free. So no asynchronous form
 * blocks a thread, and none sends its work elsewhere.
 */
import { afterPipe, type Left } from "../../bridge/waiting.js";
import { addFrames, beginFrameless, endFrameless, isFrameless } from "../../errors/errors.js";
import { type AnyOperation, Busy, type Pause, type Steps } from "../operation.js";
import type { SystemCalls } from "../system-calls.js";
import { abortError, checkAborted } from "./abort.js";

/** Is told the end of work. Called once, in the caller's turn where nothing has to be waited for. */
export interface Ends<R> {
  succeeded(value: R): void;
  failed(error: unknown): void;
}

/** Work that waits for a lock at most as long as a call of the tree may, and for the other end of a pipe as long as that takes. */
class Work<R> implements Begun {
  readonly #calls: SystemCalls;
  readonly #ends: Ends<R>;
  /** When the thread that keeps the work waiting has done so for too long; 0: it does not wait. */
  #deadline = 0;
  #given = false;
  /** Goes on at once; undefined: the work does not wait. */
  #goOnNow: (() => void) | undefined;
  /** What has been left of work that is made as a whole. */
  #left: Left | undefined;

  constructor(calls: SystemCalls, ends: Ends<R>) {
    this.#calls = calls;
    this.#ends = ends;
  }

  get waits(): boolean {
    return this.#goOnNow !== undefined;
  }

  giveUp(): void {
    this.#given = true;
    this.#goOnNow?.();
  }

  /** Makes work as a whole again, which has been kept waiting. @param first its beginning */
  #again(work: () => R, first: () => R): void {
    if (this.#given) {
      this.#left?.giveUp?.();
      return;
    }
    const result = gently(this.#calls, work, undefined);
    if (result instanceof Thrown) this.caught(result.error, work, first);
    else this.#ends.succeeded(result);
  }

  /** Goes on with work as a whole that has thrown: it has been kept waiting, or it has failed. @param first its beginning */
  caught(error: unknown, work: () => R, first = work): void {
    const left = this.#calls.attachment.limit.leftOf(error);
    if (left !== undefined) this.#left = left;
    if (this.#mayWait(error, left)) {
      const next = left === undefined ? work : ((left.goOn as (() => R) | undefined) ?? first);
      this.#whenReleased(left, () => this.#again(next, first));
    } else {
      this.#left?.giveUp?.();
      this.#ends.failed(error);
    }
  }

  /** Goes on with steps. @param next lets the generator take its next step */
  go(steps: Steps<R>, next: () => IteratorResult<Pause, R>): void {
    const at = gently(this.#calls, this.#given ? () => steps.return(undefined as R) : next, undefined);
    if (at instanceof Thrown) {
      this.#ends.failed(at.error);
      return;
    }
    if (at.done) {
      this.#ends.succeeded(at.value);
      return;
    }
    const pause = at.value;
    if (pause instanceof Busy) {
      if (!pause.again) this.#deadline = 0;
      const left = this.#calls.attachment.limit.leftOf(pause.error);
      if (this.#mayWait(pause.error, left)) this.#whenReleased(left, () => this.go(steps, () => steps.next()));
      else this.go(steps, () => steps.throw(pause.error));
      return;
    }
    if (typeof pause === "number") {
      setTimeout(() => this.go(steps, () => steps.next()), pause);
      return;
    }
    pause.then(
      (value) => this.go(steps, () => steps.next(value)),
      (error: unknown) => this.go(steps, () => steps.throw(error)),
    );
  }

  /** Whether an error says that another thread keeps the work waiting, and it may wait longer. */
  #mayWait(error: unknown, left: Left | undefined): boolean {
    const { limit } = this.#calls.attachment;
    if (!limit.isPassed(error)) return false;
    if (left?.pipe !== undefined) {
      this.#deadline = 0;
      return true;
    }
    const now = performance.now();
    if (this.#deadline === 0) this.#deadline = now + limit.ms;
    return now < this.#deadline;
  }

  #whenReleased(left: Left | undefined, goOn: () => void): void {
    const { limit, memory } = this.#calls.attachment;
    let forget = () => {};
    const end = () => {
      if (this.#goOnNow === undefined) return;
      this.#goOnNow = undefined;
      forget();
      goOn();
    };
    if (left?.pipe === undefined) {
      this.#goOnNow = end;
      limit.released().then(end);
      return;
    }
    const now = afterPipe(memory, left.pipe, end);
    this.#goOnNow = now;
    forget = this.#calls.whenClosed(now);
  }
}

/** Work that has begun. */
export interface Begun {
  /** Whether another thread keeps it waiting. */
  readonly waits: boolean;
  /** Gives it up where it waits. */
  giveUp(): void;
}

/** Work that has ended in the caller's turn. */
const ENDED: Begun = { waits: false, giveUp() {} };

/** The exception of work: the result of gently(). An exception that is thrown again takes as long as several lookups of a path. */
class Thrown {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** Makes calls that are left as soon as another thread keeps them waiting, and whose errors have no frames. */
function gently<P, R>(calls: SystemCalls, work: (calls: SystemCalls, parsed: P) => R, parsed: P): R | Thrown {
  const { limit } = calls.attachment;
  const frames = beginFrameless();
  const before = limit.begin();
  let result: R | Thrown;
  try {
    result = work(calls, parsed);
  } catch (error) {
    result = new Thrown(error);
  }
  limit.end(before);
  endFrameless(frames);
  return result;
}

/** Does the work of an operation. */
export function runLater<A extends unknown[], P, R>(
  calls: SystemCalls,
  op: AnyOperation<A, P, R>,
  parsed: P,
  ends: Ends<R>,
): Begun {
  const { run } = op;
  if (run === undefined) {
    const work = new Work(calls, ends);
    const steps = op.steps(calls, parsed);
    work.go(steps, () => steps.next());
    return work;
  }
  const result = gently(calls, run, parsed);
  if (result instanceof Thrown) {
    const work = new Work(calls, ends);
    work.caught(result.error, () => run(calls, parsed));
    return work;
  }
  ends.succeeded(result);
  return ENDED;
}

/** How a call takes its AbortSignal. */
export interface Abort {
  readonly signal: AbortSignal | undefined;
  /**
   * It listens to the signal, as Node's calls for attributes do: it fails in the turn in which the signal is aborted. Otherwise it looks at
   * the signal between its steps, as Node's calls on contents do: what is done when the signal is aborted stays done, and the call fails; an
   * error of its own comes first.
   */
  readonly listens: boolean;
  /** The work looks at the signal itself, and what it has completed is a success whatever has become of the signal. */
  readonly looksItself?: boolean;
}

/**
 * The same for a call with an AbortSignal. Its result is delivered in a later turn. `aborted` is told that the signal is aborted, while the call
 * waits or listens, in that turn.
 * @throws Error AbortError
 * @throws TypeError for a signal that cannot be listened to, and should be
 */
export function runAbortable<A extends unknown[], P, R>(
  calls: SystemCalls,
  op: AnyOperation<A, P, R>,
  parsed: P,
  { signal, listens, looksItself = false }: Abort,
  ends: Ends<R>,
  aborted: (error: unknown) => void = ends.failed,
): void {
  if (signal === undefined) {
    runLater(calls, op, parsed, ends);
    return;
  }
  checkAborted(signal);
  let isOver = false;
  let isDone = false;
  let work: Begun | undefined;
  const onAbort = (): void => {
    // Waits for the caller's own promises are awaited, as in Node.
    if (isOver || !(listens || work?.waits)) return;
    isOver = true;
    work?.giveUp();
    aborted(abortError(signal));
  };
  const deliver = (end: () => void): void => {
    isDone = true;
    inLaterTurn(() => {
      if (isOver) return;
      isOver = true;
      signal.removeEventListener?.("abort", onAbort);
      end();
    });
  };
  const listen = (): void => signal.addEventListener("abort", onAbort, { once: true });
  if (listens) listen();
  const isAborted = (): boolean => !listens && !looksItself && signal.aborted;
  work = runLater(calls, op, parsed, {
    succeeded: (value) => deliver(() => (isAborted() ? ends.failed(abortError(signal)) : ends.succeeded(value))),
    failed: (error) => deliver(() => ends.failed(error)),
  });
  // Of a call that has been done at once the signal is only looked at, as in Node.
  if (!listens && !isDone && signal.addEventListener !== undefined) listen();
}

/** Calls in a later turn of the event loop. */
export function inLaterTurn(call: () => void): void {
  const { setImmediate } = globalThis as { setImmediate?: (call: () => void) => unknown };
  if (setImmediate !== undefined) setImmediate(call);
  else throughChannel(call);
}

let channel: MessageChannel | undefined;
const waiting: (() => void)[] = [];

/** A message arrives sooner than a timer, which browsers delay. */
function throughChannel(call: () => void): void {
  if (channel === undefined) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  waiting.push(call);
  channel.port2.postMessage(0);
}

/** Promises that may be settled before the thread returns to its event loop: a loop that awaits calls would never let it otherwise. */
const SETTLED_IN_TURN = 256;
let settled = 0;

/** A promise of what `start` begins. Its argument errors reject it too. */
export function promised<R>(start: (ends: Ends<R>) => void): Promise<R> {
  let hasSucceeded = false;
  let frameless: Error | undefined;
  const promise = new Promise<R>((resolve, reject) => {
    const late = ++settled % SETTLED_IN_TURN === 0;
    start({
      succeeded(value) {
        hasSucceeded = true;
        if (late) inLaterTurn(() => resolve(value));
        else resolve(value);
      },
      failed(error) {
        if (isFrameless(error)) frameless = error;
        if (late) inLaterTurn(() => reject(error));
        else reject(error);
      },
    });
  });
  if (hasSucceeded) return promise;
  // Frames are looked for when nobody's code runs, as in Node: then there are only those of the functions that await the call, which
  // takes a fraction of the time.
  return promise.then(undefined, function framed(error: unknown): never {
    if (frameless !== undefined) addFrames(frameless, framed);
    throw error;
  });
}
