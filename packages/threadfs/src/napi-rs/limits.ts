/** Which memory a program imports, read from its bytes: WebAssembly tells it of no module (https://webassembly.github.io/spec/core/binary/modules.html#import-section). */

/** Pages of 64 KiB. */
export interface MemoryLimits {
  initial: number;
  maximum: number;
}

const HEADER = 8;
const IMPORTS = 2;
const KIND = { FUNCTION: 0, TABLE: 1, MEMORY: 2, GLOBAL: 3, TAG: 4 } as const;
const HAS_MAXIMUM = 1;
/** The most that an address of 32 bits reaches. */
const PAGES_MAX = 65_536;

/** Reads a binary from a position on. What is behind the end is 0. */
class Reader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.at++] ?? 0;
  }

  /** A number of 7 bits a byte, the lowest first. */
  number(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  }

  skipName(): void {
    const length = this.number();
    this.at += length;
  }

  limits(): MemoryLimits {
    const flags = this.byte();
    const initial = this.number();
    return { initial, maximum: flags & HAS_MAXIMUM ? this.number() : PAGES_MAX };
  }
}

/** The first memory among so many imports. */
function inImports(reader: Reader): MemoryLimits | undefined {
  for (let left = reader.number(); left > 0 && !reader.isAtEnd; left--) {
    reader.skipName();
    reader.skipName();
    switch (reader.byte()) {
      case KIND.FUNCTION:
        reader.number();
        break;
      case KIND.TABLE:
        reader.byte();
        reader.limits();
        break;
      case KIND.MEMORY:
        return reader.limits();
      case KIND.GLOBAL:
        reader.at += 2;
        break;
      case KIND.TAG:
        reader.byte();
        reader.number();
        break;
      default:
        return undefined;
    }
  }
  return undefined;
}

/** The bytes of a program; undefined: it is none, such as a WebAssembly.Module. */
function bytesOf(program: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(program)) return new Uint8Array(program.buffer, program.byteOffset, program.byteLength);
  return program instanceof ArrayBuffer ? new Uint8Array(program) : undefined;
}

/** The limits of the memory that a program imports; undefined: it imports none, or is not given as bytes. */
export function memoryLimits(program: unknown): MemoryLimits | undefined {
  const bytes = bytesOf(program);
  if (bytes === undefined) return undefined;
  const reader = new Reader(bytes, HEADER);
  while (!reader.isAtEnd) {
    const section = reader.byte();
    const end = reader.number() + reader.at;
    if (section === IMPORTS) return inImports(reader);
    reader.at = end;
  }
  return undefined;
}
