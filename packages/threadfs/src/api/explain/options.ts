/** The options of `vfs.explain()`: types alone, for the published declarations. */
import type { CoreModule } from "../../bridge/wasm.js";
import type { ResolveFlag } from "../../node-fs/linux/types.js";

/** Options of {@link Vfs.explain}. */
export interface ExplainOptions {
  /** Whether a link at the end is followed: stat(2), or lstat(2). Default: yes. */
  follow?: boolean | undefined;
  /** The descriptor of the directory at which a relative path starts, as openat(2) has it; null or left out: the working directory. */
  dir?: number | null | undefined;
  /** Explains access(2) with this mode, `fs.constants.R_OK` ..., 0 to 7. Default: it is stat(2) that is explained. */
  access?: number | undefined;
  /** What the walk may pass, beside the context's own `resolve`: as in `openat2`. */
  resolve?: ResolveFlag | readonly ResolveFlag[] | undefined;
  /** Whether the walk begins in ref mode. Default: as this thread's walks do. */
  ref?: boolean | undefined;
  /** Whether the thread's prefix cache is used, as its walks do. Without it every component is walked. Default: yes. */
  prefixCache?: boolean | undefined;
  /** The debug build of the core, compiled: `threadfs/core.debug.wasm`. Default: it is loaded from the package; "threadfs/inline" and "threadfs/module" have none. */
  core?: CoreModule | undefined;
}
