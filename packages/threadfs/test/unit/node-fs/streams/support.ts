/** Notes what streams do, in an order and in values that are the same on `node:fs` and on a tree. */
import type { FsCalls } from "../../../support/fs-calls.js";

/** A stream of either side, without the types of its options and events. */
export interface AnyStream {
  readonly [key: string]: unknown;
  on(event: string, listener: (...args: unknown[]) => void): this;
  once(event: string, listener: (...args: unknown[]) => void): this;
  destroy(error?: Error): this;
  close(callback?: (...args: unknown[]) => void): void;
  pause(): this;
  resume(): this;
  setEncoding(encoding: string): this;
  write(chunk: unknown, ...rest: unknown[]): boolean;
  end(...args: unknown[]): this;
  cork(): void;
  uncork(): void;
  destroySoon(): void;
}
type Make = (path: unknown, options?: unknown) => AnyStream;
type Class = Make & (new (path: unknown, options?: unknown) => AnyStream);

/** The streams of either side, for wrong arguments too. */
export interface AnyStreams {
  readonly createReadStream: Make;
  readonly createWriteStream: Make;
  readonly ReadStream: Class;
  readonly WriteStream: Class;
}

export function anyStreams(fs: FsCalls): AnyStreams {
  return fs as unknown as AnyStreams;
}

const EVENTS = ["open", "ready", "pause", "resume", "drain", "finish", "end", "close", "error", "pipe", "unpipe"];

/** A value of an event: numbers of descriptors differ between the two sides. */
function shown(event: string, value: unknown): unknown {
  if (event === "open") return typeof value;
  return value instanceof Error ? value : typeof value;
}

/** Everything that a stream emits from now on but its data, which would make it flow. */
export function watch(stream: AnyStream, log: unknown[] = [], name = ""): unknown[] {
  for (const event of EVENTS) {
    stream.on(event, (...args) => {
      log.push([name + event, ...args.map((value) => shown(event, value)), stream.pending]);
    });
  }
  return log;
}

/** Its chunks too: their types and lengths, or the text of short ones. */
export function watchData(stream: AnyStream, log: unknown[] = []): unknown[] {
  stream.on("data", (chunk) => {
    const { length } = chunk as Uint8Array | string;
    const type = typeof chunk === "object" ? Object.prototype.toString.call(chunk) : typeof chunk;
    log.push([type, length < 20 ? String(chunk) : length, stream.bytesRead]);
  });
  return watch(stream, log);
}

/** Waits until a stream has closed, and has said so. */
export async function closed(stream: AnyStream): Promise<void> {
  if (stream.closed) await turns();
  else await event(stream, "close");
}

/** Waits for an event. */
export function event(stream: AnyStream, name: string): Promise<unknown> {
  return new Promise((resolve) => {
    stream.once(name, resolve);
  });
}

/** Lets run what is called back at once. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** After an event a stream without autoClose stays as it is, until it is destroyed. `size`: asks for the size of its open file. */
export async function staysOpen(
  stream: AnyStream,
  name: string,
  log: unknown[],
  size: () => unknown,
): Promise<AnyStream> {
  await event(stream, name);
  await turns();
  log.push(fields(stream), size());
  stream.destroy();
  await closed(stream);
  return stream;
}

/** Waits until something is so, and for what comes of it at once. */
export async function until(condition: () => unknown): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  await turns();
}

/** The fields of a stream. */
export function fields(stream: AnyStream): unknown {
  const { fd } = stream;
  // A method of writing streams.
  const end: unknown = typeof stream.end === "function" ? "" : stream.end;
  const names = ["path", "flags", "mode", "start", "pos", "bytesRead", "bytesWritten", "flush", "pending", "open"];
  const flags = ["autoClose", "destroyed", "closed", "readableEnded", "writableFinished", "errored"];
  return [fd === null ? fd : typeof fd, end, names.map((name) => stream[name]), flags.map((name) => stream[name])];
}
