/** Parts of a thread's scratch area, as byte offsets. The rest of the area is the core's own (core/vfs/layout.ts). */
/** First path: bytes, then a NUL. The bytes after the NUL do not matter. */
export const PATH = 0;
/** Second path of rename, link and symlink. */
export const PATH2 = 8192;
/** Result of the stat calls: 18 float64, see {@link STAT}. */
export const STAT = 16384;
/** File contents, directory entries and link bodies, at most {@link IO_SIZE} bytes per call. */
export const IO = 32768;
/** Arguments and results of driver hooks. */
export const DRIVER = 98304;
export const SIZE = 131072;
