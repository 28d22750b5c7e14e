/** All entries of a directory, sorted, by one call of the core. */

import { OPENED } from "../../../abi/limits.js";
import { SCAN_COMMON, SCAN_NAME, SCAN_NAME_LENGTH, SCAN_PLAIN, SCAN_TEXT, SCAN_TYPE } from "../../../abi/memory.js";
import type { Attachment } from "../../bridge/attachment.js";
import type { FileSink } from "../../bridge/transfer/transfer.js";
import type { Path } from "../args.js";
import { asBuffer, decodeText } from "../bytes.js";
import type { SystemCalls } from "../system-calls.js";
import { rawName } from "./names.js";
import { type Entries, nextEntry, sortedEntries } from "./order.js";

/** What a directory contains. */
export interface Listing {
  /** As in Entry. */
  readonly names: (string | Buffer)[];
  /** DT_* of each, if they were asked for. */
  readonly types: Uint8Array;
}

const [COMMA, CLOSE] = [0x2c, 0x5d];
/** An opening bracket with blanks around it, as a word of four bytes in either order. */
const OPEN = 0x205b2020;
const WORD = 4;
const { parse } = JSON;

const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);
/** Memory for the text of a list, in words and in bytes. */
interface Text {
  readonly words: Int32Array<ArrayBuffer>;
  readonly bytes: Uint8Array;
}
const NO_TEXT: Text = { words: /* @__PURE__ */ new Int32Array(0), bytes: NO_BYTES };
const TEXT_MIN = 1024;
const TEXT_MAX = 1 << 18;
/** Kept for the next list unless it is large. */
let text = NO_TEXT;
const NO_TYPES = NO_BYTES;

/** Collects the entries, which come in pieces of at most IO_SIZE bytes, of which the last one stays in the scratch area. */
class Pieces implements FileSink {
  readonly #attachment: Attachment;
  #bytes: Uint8Array = NO_BYTES;
  #length = 0;

  constructor(attachment: Attachment) {
    this.#attachment = attachment;
  }

  take(_from: number, bytes: number): true {
    this.#add(bytes);
    return true;
  }

  #add(bytes: number): void {
    const end = this.#length + bytes;
    if (end > this.#bytes.length) {
      const more = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      more.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = more;
    }
    this.#attachment.window.copyOut(bytes, this.#bytes.subarray(this.#length, end));
    this.#length = end;
  }

  make(): never {
    throw new RangeError("all pieces are taken");
  }

  /** The entries, of which there are `all` bytes; valid until the next call of the core. */
  end(all: number): Uint8Array {
    if (this.#length === 0) return this.#attachment.io;
    this.#add(all - this.#length);
    return this.#bytes;
  }

  /** The same as words: those of the scratch area are always the same. */
  words(all: number): Int32Array {
    const bytes = this.#bytes;
    if (this.#length === 0) return this.#attachment.window.words;
    return new Int32Array(bytes.buffer, bytes.byteOffset, all / WORD);
  }
}

/**
 * @param typed whether the types are asked for
 * @returns the entries of a directory in memory; a descriptor of another one; or a negative errno
 */
export function scan(calls: SystemCalls, path: Path, typed: boolean): Listing | number {
  const length = calls.tryPutPath(path);
  if (length < 0) return length;
  const { attachment, core, ctx } = calls;
  const pieces = new Pieces(attachment);
  let all: number;
  attachment.transfer.beginFile(pieces);
  try {
    all = core.sysScandir(ctx, calls.dirfd, length);
  } finally {
    attachment.transfer.endFile();
  }
  if (all < 0) return all <= OPENED ? OPENED - all : all;
  // The window copies nothing to the numbers of stat.
  const { [SCAN_PLAIN]: plain, [SCAN_COMMON]: common } = attachment.stat;
  const bytes = pieces.end(all);
  const entries = sortedEntries(bytes, all, common);
  const names = plain === 1 ? plainNames(entries, pieces.words(all), all) : rawNames(entries);
  const listing = { names, types: typed ? typesOf(entries) : NO_TYPES };
  // What may be large is not kept.
  entries.bytes = NO_BYTES;
  return listing;
}

function typesOf({ bytes, starts, order, count }: Entries): Uint8Array {
  const types = new Uint8Array(count);
  for (let i = 0; i < count; i++) types[i] = bytes[(starts[order[i] as number] as number) + SCAN_TYPE] as number;
  return types;
}

/**
 * The names as strings, where JSON may have all of them as they are. All strings of a list are made by one call of JSON.parse, several
 * times as fast as one by one, and none of them keeps the memory of the others.
 */
function plainNames({ bytes, starts, order, count }: Entries, words: Int32Array, all: number): string[] {
  if (count === 0) return [];
  // In words, of which the first has nothing but the bracket.
  const length = all / WORD + 1;
  if (text.words.length < length) {
    const memory = new Int32Array(Math.max(length, TEXT_MIN));
    text = { words: memory, bytes: asBuffer(new Uint8Array(memory.buffer)) };
  }
  const { words: into, bytes: list } = text;
  into[0] = OPEN;
  let to = 1;
  for (let i = 0; i < count; i++) {
    const at = starts[order[i] as number] as number;
    const end = nextEntry(bytes, at) / WORD;
    for (let from = (at + SCAN_TEXT) / WORD; from < end; from++) into[to++] = words[from] as number;
  }
  if (into.length > TEXT_MAX) text = NO_TEXT;
  // The comma behind the last name is the last one.
  let last = to * WORD - 1;
  while (list[last] !== COMMA) last--;
  list[last] = CLOSE;
  return parse(decodeText(list, "latin1", to * WORD)) as string[];
}

function rawNames({ bytes, starts, order, count }: Entries): (string | Buffer)[] {
  return Array.from({ length: count }, (_, i) => {
    const at = starts[order[i] as number] as number;
    const from = at + SCAN_NAME;
    return rawName(bytes.subarray(from, from + (bytes[at + SCAN_NAME_LENGTH] as number)));
  });
}
