/** Reads a snapshot block by block and record by record, and checks each length and sum. */
import { codedError, invalidArgType } from "../../errors/errors.js";
import type { WebSource } from "../types.js";
import { crc32 } from "./crc32.js";
import {
  ATTRIBUTES_BYTES,
  type Attributes,
  BLOCK_HEADER_BYTES,
  BLOCK_MAX,
  type FileTime,
  FORMAT_VERSION,
  HEADER_BYTES,
  MAGIC,
  RECORD_HEADER_BYTES,
} from "./format.js";

/** The error of a snapshot that cannot be read. */
export function damaged(reason: string): Error {
  return codedError(Error, "ERR_THREADFS_SNAPSHOT", `Not a snapshot of a tree, or a damaged one: ${reason}`);
}

async function* fromWeb(source: WebSource): AsyncGenerator<unknown, void, undefined> {
  const reader = source.getReader();
  let done = false;
  try {
    for (;;) {
      const next = await reader.read();
      done = next.done;
      if (done) return;
      yield next.value;
    }
  } finally {
    if (!done) await reader.cancel();
  }
}

/** The pieces of a source. @throws TypeError ERR_INVALID_ARG_TYPE */
function piecesOf(source: unknown): AsyncIterable<unknown> | Iterable<unknown> {
  if (source instanceof Uint8Array) return [source];
  if (source instanceof ArrayBuffer) return [new Uint8Array(source)];
  if (typeof source === "object" && source !== null) {
    if (Symbol.asyncIterator in source) return source as AsyncIterable<unknown>;
    if (Symbol.iterator in source) return source as Iterable<unknown>;
    if ("getReader" in source) return fromWeb(source as WebSource);
  }
  throw invalidArgType(
    "options.snapshot",
    "an instance of Uint8Array or ArrayBuffer, or an iterable of pieces",
    source,
  );
}

/** The numbers and bytes of one record. */
export class RecordReader {
  readonly type: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(type: number, bytes: Uint8Array) {
    this.type = type;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The same record from its beginning. */
  again(): RecordReader {
    return new RecordReader(this.type, this.#bytes);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#bytes.length) throw damaged(`a record of type ${this.type} is too short`);
    this.#at += bytes;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** The next bytes, or all that are left. */
  bytes(length = this.#bytes.length - this.#at): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  #time(): FileTime {
    const [sec, nsec] = [this.f64(), this.u32()];
    if (!Number.isSafeInteger(sec) || nsec > 999_999_999) throw damaged("a time is out of range");
    return { sec, nsec };
  }

  attributes(): Attributes {
    if (this.#bytes.length - this.#at < ATTRIBUTES_BYTES) throw damaged("a record without attributes");
    const [mode, uid, gid] = [this.u32(), this.u32(), this.u32()];
    const [atime, mtime, ctime, birthtime] = [this.#time(), this.#time(), this.#time(), this.#time()];
    return { mode, uid, gid, atime, mtime, ctime, birthtime };
  }
}

/** The bytes of a source, as many at a time as are asked for. */
class Pieces {
  readonly #iterator: AsyncIterator<unknown> | Iterator<unknown>;
  #piece: Uint8Array = new Uint8Array();

  constructor(source: unknown) {
    const pieces = piecesOf(source);
    this.#iterator = Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
  }

  /** The next bytes. undefined: none are left. @throws Error ERR_THREADFS_SNAPSHOT: fewer are left */
  async take(length: number): Promise<Uint8Array | undefined> {
    if (this.#piece.length >= length) return this.#cut(length);
    const taken = new Uint8Array(length);
    for (let have = 0; have < length; ) {
      if (this.#piece.length === 0 && !(await this.#next())) {
        if (have === 0) return undefined;
        throw damaged("it is cut off");
      }
      const part = this.#cut(Math.min(this.#piece.length, length - have));
      taken.set(part, have);
      have += part.length;
    }
    return taken;
  }

  #cut(length: number): Uint8Array {
    const part = this.#piece.subarray(0, length);
    this.#piece = this.#piece.subarray(length);
    return part;
  }

  async #next(): Promise<boolean> {
    const { done, value } = await this.#iterator.next();
    if (done) return false;
    if (!(value instanceof Uint8Array)) throw invalidArgType("options.snapshot", "pieces of type Uint8Array", value);
    // A copy of what another thread may write meanwhile: what was checked must not change.
    this.#piece = value.buffer instanceof ArrayBuffer ? value : value.slice();
    return true;
  }

  /** Tells the source that no more is read. */
  async end(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/**
 * The records of a snapshot. A caller makes use of a record before it asks for the next one.
 * @throws TypeError ERR_INVALID_ARG_TYPE; Error ERR_THREADFS_SNAPSHOT, ERR_THREADFS_SNAPSHOT_VERSION
 */
export async function* readRecords(source: unknown): AsyncGenerator<RecordReader[], void, undefined> {
  const pieces = new Pieces(source);
  try {
    checkHeader(await pieces.take(HEADER_BYTES));
    for (;;) {
      const header = await pieces.take(BLOCK_HEADER_BYTES);
      if (header === undefined) return;
      const view = new DataView(header.buffer, header.byteOffset, header.length);
      const [length, sum] = [view.getUint32(0, true), view.getUint32(4, true)];
      if (length === 0 || length > BLOCK_MAX) throw damaged(`a block of ${length} bytes`);
      const block = await pieces.take(length);
      if (block === undefined) throw damaged("it is cut off");
      if (crc32(block) !== sum) throw damaged("the sum of a block is wrong");
      yield recordsOf(block);
    }
  } finally {
    await pieces.end();
  }
}

/** @throws Error ERR_THREADFS_SNAPSHOT, ERR_THREADFS_SNAPSHOT_VERSION */
function checkHeader(header: Uint8Array | undefined): void {
  if (header === undefined || MAGIC.some((byte, i) => header[i] !== byte)) throw damaged("it begins with other bytes");
  const view = new DataView(header.buffer, header.byteOffset);
  const version = view.getUint32(MAGIC.length, true);
  if (version === FORMAT_VERSION) {
    if (view.getUint32(MAGIC.length + 4, true) !== 0) throw damaged("its header has a bit that no version has");
    return;
  }
  const message = `The snapshot has version ${version} of the format; this version of threadfs reads version ${FORMAT_VERSION}`;
  throw codedError(Error, "ERR_THREADFS_SNAPSHOT_VERSION", message);
}

function recordsOf(block: Uint8Array): RecordReader[] {
  const records: RecordReader[] = [];
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  for (let at = 0; at < block.length; ) {
    if (at + RECORD_HEADER_BYTES > block.length) throw damaged("a record without its length");
    const from = at + RECORD_HEADER_BYTES;
    const end = from + view.getUint32(at + 1, true);
    if (end > block.length) throw damaged("a record is longer than its block");
    records.push(new RecordReader(view.getUint8(at), block.subarray(from, end)));
    at = end;
  }
  return records;
}
