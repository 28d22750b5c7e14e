/** Parts of a thread's scratch area: byte offsets in it. What no part has is the core's own (core/vfs/layout.ts). */
/** First path: bytes, then a NUL. The bytes behind the NUL may be anything. */
export const PATH = 0;
/** Second path of rename, link and symlink. */
export const PATH2 = 8192;
/** Answer of the stat calls: 18 float64, see {@link STAT}. */
export const STAT = 16384;
/** Contents, directory entries and link bodies, at most {@link IO_SIZE} bytes a call. */
export const IO = 32768;
/** Exchange area of driver hooks. */
export const DRIVER = 98304;
export const SIZE = 131072;
