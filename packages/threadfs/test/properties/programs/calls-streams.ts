/** Streams: which events come, in which order, with which chunks. */
import type { EventEmitter } from "node:events";
import fc from "fast-check";
import type { Actor } from "./actor.js";
import { call, calls } from "./call.js";
import { filePath, flags, mode, textEncoding, textOf } from "./operands.js";

interface Stream extends EventEmitter {
  write(chunk: unknown): boolean;
  end(): void;
}

/** All events of a stream until it is closed. */
function eventsOf(stream: Stream, names: readonly string[]): Promise<unknown[]> {
  return new Promise((resolve) => {
    const events: unknown[] = [];
    for (const name of names) stream.on(name, () => events.push(name));
    stream.on("data", (chunk: unknown) => events.push(["data", chunk]));
    stream.on("error", (error) => events.push(["error", error]));
    stream.on("close", () => resolve([...events, "close"]));
  });
}

/** The same without `data`, which would let a stream flow that is written. */
function writesOf(stream: Stream): Promise<unknown[]> {
  return new Promise((resolve) => {
    const events: unknown[] = [];
    for (const name of ["open", "ready", "finish"]) stream.on(name, () => events.push(name));
    stream.on("error", (error) => events.push(["error", error]));
    stream.on("close", () => resolve([...events, "close", Reflect.get(stream, "bytesWritten")]));
  });
}

const start = fc.constantFrom(undefined, undefined, 0, 2, 4096);
const slot = fc.nat({ max: 2 });
const flag = fc.oneof(fc.constant(undefined), flags);

/** The stream of the handle in a slot, which it closes. */
function fromHandle(actor: Actor, n: number, name: string, options: object): Stream | undefined {
  const handle = actor.takeHandle(n);
  if (handle === undefined) return undefined;
  return (Reflect.get(handle, name) as (options: object) => Stream).call(handle, options);
}

function write(stream: Stream, sizes: readonly number[]): Promise<unknown[]> {
  const events = writesOf(stream);
  for (const [n, size] of sizes.entries()) stream.write(n % 2 ? Buffer.from(textOf(size)) : textOf(size));
  stream.end();
  return events;
}

const reading = fc.record({
  start,
  end: fc.constantFrom(undefined, undefined, 5, 4999),
  highWaterMark: fc.constantFrom(undefined, 700, 4096),
  encoding: textEncoding,
});
const sizes = fc.array(fc.constantFrom(0, 1, 5, 4096, 70_000), { maxLength: 3 });

const isSound = ({ start, end }: { start: number | undefined; end: number | undefined }) =>
  start === undefined || end === undefined || start <= end;

export const STREAMS = calls({
  createReadStream: call(
    3,
    fc.record({ path: filePath, flags: flag, options: reading.filter(isSound) }),
    (actor, { path, flags, options }) =>
      eventsOf(actor.plain("createReadStream", actor.path(path), { ...options, flags }) as Stream, [
        "open",
        "ready",
        "end",
      ]),
  ),
  createWriteStream: call(
    3,
    fc.record({
      path: filePath,
      flags: flag,
      start,
      mode: fc.option(mode, { nil: undefined }),
      flush: fc.boolean(),
      sizes,
    }),
    (actor, { path, sizes, ...options }) =>
      write(actor.plain("createWriteStream", actor.path(path), options) as Stream, sizes),
  ),
  handleReadStream: call(2, fc.record({ slot, options: reading.filter(isSound) }), (actor, { slot, options }) => {
    const stream = fromHandle(actor, slot, "createReadStream", options);
    return stream ? eventsOf(stream, ["end"]) : "no handle";
  }),
  handleWriteStream: call(2, fc.record({ slot, start, sizes }), (actor, { slot, start, sizes }) => {
    const stream = fromHandle(actor, slot, "createWriteStream", { start });
    return stream ? write(stream, sizes) : "no handle";
  }),
});
