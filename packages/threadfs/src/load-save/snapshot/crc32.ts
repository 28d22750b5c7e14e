/** CRC-32 as zlib has it (ISO 3309), by Node's own where the host has it. */
import { nodeModule } from "../../bridge/node.js";

/** Tables for four bytes at a time, made at the first use: 4 x 256 words. */
let tables: Uint32Array | undefined;

function makeTables(): Uint32Array {
  const made = new Uint32Array(1024);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    made[n] = c;
  }
  for (let n = 256; n < 1024; n++) {
    const c = made[n - 256] ?? 0;
    made[n] = (c >>> 8) ^ (made[c & 255] ?? 0);
  }
  return made;
}

/** The same without Node. */
export function crc32Portable(bytes: Uint8Array): number {
  tables ??= makeTables();
  const table = tables;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let c = 0xffffffff;
  let i = 0;
  for (const end = bytes.length - 3; i < end; i += 4) {
    c ^= view.getUint32(i, true);
    c =
      (table[768 + (c & 255)] ?? 0) ^
      (table[512 + ((c >>> 8) & 255)] ?? 0) ^
      (table[256 + ((c >>> 16) & 255)] ?? 0) ^
      (table[c >>> 24] ?? 0);
  }
  for (; i < bytes.length; i++) c = (c >>> 8) ^ (table[(c ^ view.getUint8(i)) & 255] ?? 0);
  return ~c >>> 0;
}

/** The CRC-32 of bytes, as an unsigned number. */
export function crc32(bytes: Uint8Array): number {
  const native = nodeModule("node:zlib")?.crc32;
  return native === undefined ? crc32Portable(bytes) : native(bytes) >>> 0;
}
