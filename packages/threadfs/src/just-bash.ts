/** The entry "threadfs/just-bash": trees as file systems of just-bash's shell, `new Bash({ fs: new ThreadFs(vfs) })`. */
export { ThreadFs } from "./just-bash/thread-fs.js";
export type { BashDirent, BashEncoding, BashStat, Tree } from "./just-bash/types.js";
