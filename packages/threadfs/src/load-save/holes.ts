/** Where the contents of a file with holes are. */

/** What a file system keeps or leaves out as a whole. */
export const PAGE = 4096;
/** st_blocks counts these. */
export const BLOCK = 512;

/** The runs of pages in which a byte is not 0. */
export function dataRanges(data: Uint8Array): [from: number, to: number][] {
  const ranges: [number, number][] = [];
  for (let at = 0; at < data.length; at += PAGE) {
    const end = Math.min(at + PAGE, data.length);
    if (isZero(data.subarray(at, end))) continue;
    const last = ranges.at(-1);
    if (last?.[1] === at) last[1] = end;
    else ranges.push([at, end]);
  }
  return ranges;
}

/** The bytes begin at a multiple of 4 in their buffer. */
function isZero(data: Uint8Array): boolean {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length >> 2);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  for (let i = words.length << 2; i < data.length; i++) if (data[i] !== 0) return false;
  return true;
}
