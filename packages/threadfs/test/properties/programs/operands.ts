/** The operands that the calls of random programs have in common. They are plain data, which JSON carries. */
import fc from "fast-check";
import type { FsCalls } from "../../support/fs-calls.js";
import { path as anyPath, body, pathDown } from "../commands.js";

/** A path and how it is given. */
export interface PathOperand {
  readonly at: string;
  readonly as: "relative" | "absolute" | "bytes" | "url";
}

const as = fc.constantFrom<PathOperand["as"]>("relative", "absolute", "absolute", "absolute", "bytes", "url");

/** Names that are files when a program begins, or become files. */
const FILES = ["f", "g", "a/f", "b/g", "a/b/f", "f", "g", "l", "b/l", "d/f"];
/** Names that are directories or become ones, and ways to them. */
const DIRECTORIES = ["a", "b", "a/a", "a/b", "d", "d/a", "c", "b/c", ".", "..", "a/..", "c/b", "a/"];

/** A path, which may lead up by "..". */
export const path: fc.Arbitrary<PathOperand> = fc.record({
  at: fc.oneof(fc.constantFrom(...FILES), fc.constantFrom(...DIRECTORIES), anyPath),
  as,
});

/** A path, most often one of a file. */
export const filePath: fc.Arbitrary<PathOperand> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ at: fc.constantFrom(...FILES), as }) },
  { weight: 1, arbitrary: path },
);

/**
 * A path for calls that move or remove whole trees: directories that are moved upwards could leave the run's directory step by step.
 * Without a slash at the end: what `rm` does with one is among the differences from Node.
 */
export const down: fc.Arbitrary<PathOperand> = fc.record({
  at: fc.oneof(
    fc.constantFrom(...FILES),
    fc.constantFrom("a", "b", "a/a", "a/b", "d", "d/a"),
    pathDown.map((text) => text.replace(/\/$/, "")),
  ),
  as,
});

/** Makes the files that {@link path} leads to, beside those of `plant`. */
export function plantFiles(fs: FsCalls, floor: string): void {
  for (const name of ["f", "g", "a/f", "b/g"]) {
    fs.writeFileSync(floor + name, `the file ${name}\n`.repeat(9));
    fs.chmodSync(floor + name, 0o666);
  }
  fs.symlinkSync("f", `${floor}l`);
  fs.symlinkSync("../g", `${floor}b/l`);
}

export { body };

/** No directory is sticky and writable for all: there some kernels protect files beyond permissions. */
export const mode = fc.constantFrom(
  ...[0o755, 0o755, 0o777, 0o700, 0o750, 0o711, 0o644, 0o600, 0o666, 0o444, 0o000, 0o1755, 0o2775, 0o6755, 0o4711],
);

/** Bytes to write, or text. */
export interface DataOperand {
  readonly as: "text" | "buffer" | "view" | "chunks" | "stream";
  readonly size: number;
}

export const data: fc.Arbitrary<DataOperand> = fc.record({
  as: fc.constantFrom<DataOperand["as"]>("text", "buffer", "view", "chunks", "stream"),
  size: fc.constantFrom(0, 1, 5, 100, 4096, 5000, 70_000),
});

/** Each byte differs from the next, so that a shift shows. */
export function textOf(size: number): string {
  return "0123456789abcdefghijklmnopqrstuvwxyzäöü!".repeat(Math.ceil(size / 40)).slice(0, size);
}

/** The data that a call is given. Calls that take no iterables get a buffer in the place of one. */
export function dataOf({ as, size }: DataOperand, iterable: boolean): unknown {
  const text = textOf(size);
  const bytes = Buffer.from(text);
  switch (as) {
    case "text":
      return text;
    case "view":
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    case "buffer":
      return bytes;
    case "chunks":
      return iterable ? [text.slice(0, 3), bytes.subarray(3)] : bytes;
    case "stream":
      return iterable ? chunksLater(text, bytes) : new Uint8Array(bytes);
  }
}

async function* chunksLater(text: string, bytes: Buffer): AsyncGenerator<string | Buffer> {
  yield text.slice(0, 3);
  yield bytes.subarray(3);
}

/** A time as calls take it: seconds, text, or a Date, of which this is the value. */
export type TimeOperand = number | string | { readonly date: number };

/** Times long ago, so that they differ from those that the clock gives. */
export const time: fc.Arbitrary<TimeOperand> = fc.oneof(
  fc.constantFrom(0, 1, 1.5, -1, -1.5, 1234567890.123456, 1e9 + 0.1, 0.000001, -0.0000005),
  fc.constantFrom("5", "123456789.5", "-3.25"),
  fc.constantFrom(...[0, -1, 1000, 999_999_999_999, -62_135_596_800_000].map((date) => ({ date }))),
);

export const timeOf = (time: TimeOperand): unknown => (typeof time === "object" ? new Date(time.date) : time);

export const encoding = fc.constantFrom(undefined, undefined, "utf8", "latin1", "hex", "base64url", "buffer");
export const textEncoding = fc.constantFrom(undefined, undefined, "utf8", "latin1", "hex", "utf16le");

export const uid = fc.constantFrom(-1, 0, 1000, 1001);
export const gid = fc.constantFrom(-1, 0, 1000, 2000);

export const flags = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("r", "r+", "r+", "w+", "w+", "a+", "w", "a") },
  { weight: 1, arbitrary: fc.constantFrom("wx", "wx+", "ax", "rs+", 0, 1, 2, 66, 577, 0o200000, 0o400000) },
);
