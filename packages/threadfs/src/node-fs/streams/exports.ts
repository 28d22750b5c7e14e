/** The exports of a tree's `fs` for streams. Their classes are made at their first use: importing the library has no effects. */
import { nodeModule } from "../../bridge/node.js";
import { bare } from "../../errors/bare.js";
import { codedError } from "../../errors/errors.js";
import { registerStreams } from "../promises/handle-streams.js";
import type { SystemCalls } from "../system-calls.js";
import { makeReadStream, type StreamClass } from "./read-stream.js";
import type { StreamCalls } from "./stream-calls.js";
import type { StreamExports } from "./types.js";
import { makeUtf8Stream } from "./utf8-stream.js";
import { makeWriteStream } from "./write-stream.js";

/** The class of a tree in a host without streams: it throws at its first use, and can be copied with the other exports before. */
function refuse(name: string): StreamClass {
  function refused(): never {
    const message =
      `${name} needs a module of streams, which this host has not. Pass one to createVfs() or attachVfs() as ` +
      "the option { stream }, for example the package readable-stream";
    throw codedError(Error, "ERR_THREADFS_NO_STREAMS", message);
  }
  return Object.defineProperty(refused, "name", bare({ value: name })) as unknown as StreamClass;
}

interface Made {
  ReadStream: StreamClass;
  WriteStream: StreamClass;
  FileReadStream: StreamClass;
  FileWriteStream: StreamClass;
  readonly Utf8Stream: new (options?: unknown) => object;
}
type ClassName = Exclude<keyof Made, "Utf8Stream">;

/** The classes of a surface. */
function makeClasses(surface: object, { attachment }: SystemCalls): Made {
  const module = attachment.streamModule ?? nodeModule("node:stream");
  const calls = surface as StreamCalls;
  const ReadStream = module === undefined ? refuse("ReadStream") : makeReadStream(module, calls);
  const WriteStream = module === undefined ? refuse("WriteStream") : makeWriteStream(module, calls);
  const Utf8Stream = module === undefined ? refuse("Utf8Stream") : makeUtf8Stream(module, surface);
  return { ReadStream, WriteStream, FileReadStream: ReadStream, FileWriteStream: WriteStream, Utf8Stream };
}

/**
 * Adds the exports to a surface, and returns it. The classes call the surface's own functions, also those that the program has put in
 * their places. As in Node each of the four names is a variable of its own, and `createReadStream` uses the class that `ReadStream` names:
 * graceful-fs replaces them. The streams of a FileHandle are always the surface's own.
 */
export function withStreams<S extends object>(surface: S, calls: SystemCalls): S & StreamExports {
  let made: Made | undefined;
  const own = (): Made => {
    made ??= makeClasses(surface, calls);
    return made;
  };
  let named: Made | undefined;
  const classes = (): Made => {
    named ??= { ...own() };
    return named;
  };
  registerStreams(calls, {
    read: (options) => new (own().ReadStream)(undefined, options),
    write: (options) => new (own().WriteStream)(undefined, options),
  });
  const names: readonly ClassName[] = ["ReadStream", "WriteStream", "FileReadStream", "FileWriteStream"];
  for (const name of names) {
    const get = () => classes()[name];
    const set = (value: StreamClass) => {
      classes()[name] = value;
    };
    Object.defineProperty(surface, name, bare({ get, set, enumerable: true, configurable: true }));
  }
  const get = () => classes().Utf8Stream;
  Object.defineProperty(surface, "Utf8Stream", bare({ get, enumerable: true, configurable: true }));
  function createReadStream(path: unknown, options: unknown): object {
    return new (classes().ReadStream)(path, options);
  }
  function createWriteStream(path: unknown, options: unknown): object {
    return new (classes().WriteStream)(path, options);
  }
  // By name: V8 makes a dictionary, which is slower to read, of an object to which so many properties are added by Object.assign().
  const all = surface as S & { -readonly [name in keyof StreamExports]: StreamExports[name] };
  all.createReadStream = createReadStream as StreamExports["createReadStream"];
  all.createWriteStream = createWriteStream as StreamExports["createWriteStream"];
  return all;
}
