/** The calls of components in which a thread dies: each method of `wasi:filesystem` and of the streams and pollables of files. */
import type { Context } from "../../../../threadfs/dist/src/index.js";
import { createPreview2, type Preview2 } from "../../../../threadfs/dist/src/wasi-preview2.js";
import { defined } from "../../support/defined.js";

type Descriptor = ReturnType<Preview2["filesystem"]["preopens"]["getDirectories"]>[0][0];
type DirectoryEntryStream = ReturnType<Descriptor["readDirectory"]>;
type InputStream = ReturnType<Descriptor["readViaStream"]>;
type OutputStream = ReturnType<Descriptor["writeViaStream"]>;

const FOLLOW = { symlinkFollow: true };
const BOTH = { read: true, write: true };
const CREATE = { create: true };
const TIME = { tag: "timestamp", val: { seconds: 5n, nanoseconds: 7 } } as const;
const bytesOf = (length: number): Uint8Array => new Uint8Array(length).fill(0x78);
/** More than one part of a write, and the most that a part is. */
const [LONG, PART] = [70_000, 65_536];

/** A component in the middle of its work, and what it has open. */
export class Component {
  readonly preview2: Preview2;
  readonly box: Descriptor;
  readonly other: Descriptor;
  readonly f: Descriptor;
  readonly sub: Descriptor;
  /** A stream of a directory, of which it has read one entry. */
  readonly entries: DirectoryEntryStream;
  /** Streams of files whose descriptors it has dropped. */
  readonly input: InputStream;
  readonly output: OutputStream;
  readonly appending: OutputStream;
  readonly fromPipe: InputStream;
  readonly toPipe: OutputStream;

  /** @param context which has a lock too, since components have no calls for locks */
  constructor(context: Context) {
    this.preview2 = createPreview2(context, { preopens: { "/": "/box", "/other": "/other" } });
    const [box, other] = this.preview2.filesystem.preopens.getDirectories().map(([descriptor]) => descriptor);
    this.box = defined(box, "preopen");
    this.other = defined(other, "second preopen");
    const { fs } = context;
    context.flockSync(fs.openSync("/box/flock", "r+"), "ex");
    context.fcntlLockSync(fs.openSync("/box/locked", "r+"), { type: "wr" });
    this.f = this.box.openAt(FOLLOW, "f", {}, BOTH);
    this.sub = this.box.openAt(FOLLOW, "d", { directory: true }, { read: true });
    this.entries = this.box.readDirectory();
    this.entries.readDirectoryEntry();
    const stream = <T>(path: string, of: (file: Descriptor) => T): T => {
      const file = this.box.openAt(FOLLOW, path, {}, BOTH);
      const made = of(file);
      dispose(file);
      return made;
    };
    this.input = stream("f", (file) => file.readViaStream(1n));
    this.output = stream("g", (file) => file.writeViaStream(2n));
    this.appending = stream("h", (file) => file.appendViaStream());
    this.fromPipe = stream("pipe", (file) => file.readViaStream(0n));
    this.toPipe = stream("pipe", (file) => file.writeViaStream(0n));
    this.output.checkWrite();
  }
}

/** Drops a resource, as jco's code does. */
function dispose(resource: unknown): void {
  const symbol = (Symbol as { dispose?: symbol }).dispose ?? Symbol.for("dispose");
  (resource as Record<symbol, () => void>)[symbol]?.();
}

export interface Case {
  /** The interface and the method, by their names in the shim. */
  readonly call: string;
  /** What tells it from other cases of the method. */
  readonly how?: string;
  readonly make: (component: Component) => unknown;
  /** A state beside "has not happened" and "has happened" that is documented: what brings it about. */
  readonly between?: (component: Component) => unknown;
  /** It waits for the other end of a pipe until it dies. */
  readonly waits?: boolean;
}

const on =
  (kind: string) =>
  (method: string, make: Case["make"], more: Partial<Case> = {}): Case => ({
    call: `${kind}.${method}`,
    make,
    ...more,
  });
const descriptor = on("Descriptor");
const entries = on("DirectoryEntryStream");
const input = on("InputStream");
const output = on("OutputStream");
const pollable = on("Pollable");
const DROP = "[dispose]";

const OF_DESCRIPTORS: readonly Case[] = [
  descriptor("readViaStream", ({ f }) => f.readViaStream(0n)),
  descriptor("writeViaStream", ({ f }) => f.writeViaStream(0n)),
  descriptor("appendViaStream", ({ f }) => f.appendViaStream()),
  descriptor("advise", ({ f }) => f.advise(0n, 1n, "normal")),
  descriptor("syncData", ({ f }) => f.syncData()),
  descriptor("sync", ({ f }) => f.sync()),
  descriptor("getFlags", ({ f }) => f.getFlags()),
  descriptor("getType", ({ f }) => f.getType()),
  descriptor("setSize", ({ f }) => f.setSize(3n), { how: "shorter" }),
  descriptor("setSize", ({ f }) => f.setSize(30_000n), { how: "longer" }),
  descriptor("setTimes", ({ f }) => f.setTimes(TIME, { tag: "no-change" })),
  descriptor("read", ({ f }) => f.read(4n, 2n)),
  descriptor("write", ({ f }) => f.write(bytesOf(4), 2n), { how: "short" }),
  descriptor("write", ({ f }) => f.write(bytesOf(LONG), 2n), {
    how: "long",
    between: ({ f }) => f.write(bytesOf(PART), 2n),
  }),
  descriptor("readDirectory", ({ sub }) => sub.readDirectory().readDirectoryEntry()),
  descriptor("createDirectoryAt", ({ box }) => box.createDirectoryAt("new")),
  descriptor("stat", ({ f }) => f.stat()),
  descriptor("statAt", ({ box }) => box.statAt(FOLLOW, "link")),
  descriptor("setTimesAt", ({ box }) => box.setTimesAt(FOLLOW, "f", { tag: "no-change" }, TIME)),
  descriptor("linkAt", ({ box }) => box.linkAt({}, "f", box, "new")),
  descriptor("openAt", ({ box }) => box.openAt(FOLLOW, "d/i", {}, BOTH), { how: "a file" }),
  descriptor("openAt", ({ box }) => box.openAt(FOLLOW, "link", {}, BOTH), { how: "by a link" }),
  descriptor("openAt", ({ box }) => box.openAt({}, "d", { directory: true }, { read: true }), { how: "a directory" }),
  descriptor("openAt", ({ box }) => box.openAt({}, "new", CREATE, BOTH), { how: "creates" }),
  descriptor("openAt", ({ box }) => box.openAt({}, "f", { truncate: true }, BOTH), { how: "truncates" }),
  descriptor("openAt", ({ box }) => box.openAt({}, "nothing", {}, BOTH), { how: "nothing" }),
  descriptor("openAt", ({ box }) => box.openAt({}, "lonely", {}, { read: true }), { how: "waits", waits: true }),
  descriptor("readlinkAt", ({ box }) => box.readlinkAt("link")),
  descriptor("removeDirectoryAt", ({ box }) => box.removeDirectoryAt("empty")),
  descriptor("renameAt", ({ box }) => box.renameAt("f", box, "new"), { how: "within" }),
  descriptor("renameAt", ({ box, other }) => box.renameAt("f", other, "g"), { how: "over a file" }),
  descriptor("symlinkAt", ({ box }) => box.symlinkAt("f", "new")),
  descriptor("unlinkFileAt", ({ box }) => box.unlinkFileAt("f"), { how: "an open file" }),
  descriptor("unlinkFileAt", ({ box }) => box.unlinkFileAt("link"), { how: "a link" }),
  descriptor("isSameObject", ({ f, box }) => f.isSameObject(box)),
  descriptor("metadataHash", ({ f }) => f.metadataHash()),
  descriptor("metadataHashAt", ({ box }) => box.metadataHashAt({}, "link")),
  descriptor(DROP, ({ f }) => dispose(f), { how: "a file" }),
  descriptor(DROP, ({ sub }) => dispose(sub), { how: "a directory" }),
  entries("readDirectoryEntry", ({ entries: stream }) => {
    while (stream.readDirectoryEntry() !== undefined);
  }),
  entries(DROP, ({ entries: stream }) => dispose(stream)),
];

const OF_STREAMS: readonly Case[] = [
  input("read", ({ input: stream }) => stream.read(4n)),
  input("read", ({ fromPipe }) => fromPipe.read(4n), { how: "a pipe" }),
  input("blockingRead", ({ input: stream }) => stream.blockingRead(4n)),
  input("skip", ({ input: stream }) => stream.skip(4n)),
  input("blockingSkip", ({ input: stream }) => stream.blockingSkip(4n)),
  input("subscribe", ({ fromPipe }) => fromPipe.subscribe()),
  // The descriptors are dropped: with the stream the file is closed.
  input(DROP, ({ input: stream }) => dispose(stream)),
  output("checkWrite", ({ toPipe }) => toPipe.checkWrite()),
  output("write", ({ output: stream }) => stream.write(bytesOf(4)), { how: "short" }),
  output("write", ({ output: stream }) => stream.write(bytesOf(LONG)), {
    how: "long",
    between: ({ output: stream }) => stream.write(bytesOf(PART)),
  }),
  output("blockingWriteAndFlush", ({ appending }) => appending.blockingWriteAndFlush(bytesOf(4)), { how: "appends" }),
  output("blockingWriteAndFlush", ({ toPipe }) => toPipe.blockingWriteAndFlush(bytesOf(4)), { how: "a pipe" }),
  output("flush", ({ output: stream }) => stream.flush()),
  output("blockingFlush", ({ output: stream }) => stream.blockingFlush()),
  output("writeZeroes", ({ output: stream }) => stream.writeZeroes(4n)),
  output("blockingWriteZeroesAndFlush", ({ output: stream }) => stream.blockingWriteZeroesAndFlush(4n)),
  output("splice", ({ output: stream, input: source }) => stream.splice(source, 4n)),
  output("blockingSplice", ({ output: stream, input: source }) => stream.blockingSplice(source, 4n)),
  output("subscribe", ({ toPipe }) => toPipe.subscribe()),
  output(DROP, ({ appending }) => dispose(appending)),
  pollable("ready", ({ toPipe }) => toPipe.subscribe().ready()),
  pollable("block", ({ fromPipe }) => fromPipe.subscribe().block()),
];

const OF_INTERFACES: readonly Case[] = [
  on("poll")("poll", ({ preview2, input: stream, fromPipe }) =>
    preview2.io.poll.poll([stream.subscribe(), fromPipe.subscribe()]),
  ),
  on("preopens")("getDirectories", ({ preview2 }) => preview2.filesystem.preopens.getDirectories()),
  on("Preview2")("close", ({ preview2 }) => preview2.close()),
];

export const CASES: readonly Case[] = [...OF_DESCRIPTORS, ...OF_STREAMS, ...OF_INTERFACES];

/** All methods of the resources that touch the tree, as the shim has them. */
export function methods({ filesystem, io }: Preview2): string[] {
  const { Descriptor, DirectoryEntryStream } = filesystem.types;
  const { InputStream, OutputStream } = io.streams;
  const named = { Descriptor, DirectoryEntryStream, InputStream, OutputStream, Pollable: io.poll.Pollable };
  return Object.entries(named).flatMap(([name, { prototype }]) =>
    Object.getOwnPropertyNames(prototype)
      .filter((method) => method !== "constructor")
      .map((method) => `${name}.${method}`),
  );
}
