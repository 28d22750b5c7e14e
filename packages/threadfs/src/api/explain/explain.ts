/** `vfs.explain()`: a walk of the calling thread, step by step. */
import * as ERRNO from "../../../abi/errno.js";
import { AT_SYMLINK_NOFOLLOW } from "../../../abi/flags.js";
import { MODE_NO_PREFIX_CACHE, MODE_PREFIX_CACHE, MODE_REF } from "../../../abi/host.js";
import * as STAT from "../../../abi/stat.js";
import type { Attachment } from "../../bridge/attachment.js";
import { flagOption, type KeysOf, readOptions } from "../../bridge/options.js";
import type { CoreModule } from "../../bridge/wasm.js";
import { codedError, outOfRange, systemCallError } from "../../errors/errors.js";
import { toFd, toPath } from "../../node-fs/args.js";
import { toResolve } from "../../node-fs/linux/resolve.js";
import type { SystemCalls } from "../../node-fs/system-calls.js";
import type { PathLike } from "../../node-fs/types.js";
import { Trace } from "../trace.js";
import { Explanation, type FoundFile, type WalkError } from "./explanation.js";
import type { ExplainOptions } from "./options.js";
import { replay } from "./replay.js";

const EXPLAIN_OPTIONS: KeysOf<ExplainOptions> = {
  follow: true,
  dir: true,
  access: true,
  resolve: true,
  ref: true,
  prefixCache: true,
  core: true,
};

/** How the entry that a thread has attached with loads the debug build. */
const loaders = /* @__PURE__ */ new WeakMap<Attachment, () => Promise<CoreModule>>();

/** Says where the debug build of an attachment is. */
export function provideDebugCore(attachment: Attachment, load: () => Promise<CoreModule>): void {
  loaders.set(attachment, load);
}

/** The explanation of a walk of this context. @throws as Vfs.explain */
export async function explain(
  calls: SystemCalls,
  path: PathLike,
  options: ExplainOptions | undefined,
): Promise<Explanation> {
  const checked = toPath(path);
  const read = readOptions<ExplainOptions>(options, EXPLAIN_OPTIONS);
  const { dir, access, core } = read;
  const follow = flagOption(read.follow ?? true, "options.follow");
  const ref = flagOption(read.ref, "options.ref");
  const prefixCache = flagOption(read.prefixCache ?? true, "options.prefixCache");
  const dirfd = dir === undefined || dir === null ? calls.dirfd : toFd(dir);
  const resolve = toResolve(read.resolve, "options.resolve");
  if (access !== undefined && !(Number.isInteger(access) && access >= 0 && access <= 7)) {
    throw outOfRange("options.access", "an integer >= 0 && <= 7", access);
  }
  calls.checkOpen();
  const module = core ?? (await loadDebugCore(calls.attachment));
  calls.checkOpen();
  const call = access !== undefined ? "access" : follow ? "stat" : "lstat";
  const shown = typeof checked === "string" ? checked : new TextDecoder().decode(checked.slice());
  const start = shown.startsWith("/") ? "/" : dirfd === calls.dirfd ? cwdOf(calls) : `fd ${dirfd}`;
  const trace = new Trace();
  trace.attach(calls.attachment.memory);
  const modes = modesOf(calls.attachment, ref, prefixCache);
  const length = calls.tryPutPath(checked);
  trace.start(start);
  const flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
  const result =
    length < 0
      ? length
      : replay(calls.attachment, module, modes, trace, (debug) =>
          debug.sysWalk(calls.ctx, dirfd, length, flags, access ?? -1, resolve),
        );
  const steps = trace.stop().filter(({ step }) => step !== "detail");
  const error = result < 0 ? errorOf(calls, result, call, checked) : undefined;
  const found = result >= 0 && call !== "access" ? foundFile(calls.attachment) : undefined;
  return new Explanation({ path: shown, call, steps, found, error });
}

function loadDebugCore(attachment: Attachment): Promise<CoreModule> {
  const load = loaders.get(attachment);
  if (load !== undefined) return load();
  const message =
    "explain() needs the debug build of the core, which this entry of the package does not have: pass { core }, " +
    'a WebAssembly.Module of "threadfs/core.debug.wasm", or import "threadfs"';
  throw codedError(Error, "ERR_THREADFS_CORE", message);
}

/** The modes of this thread's walks, as the debug build takes them. */
function modesOf({ core }: Attachment, ref: boolean, prefixCache: boolean): number {
  const own = core.walkMode(0);
  core.walkMode(own);
  const cached = prefixCache && !(own & MODE_NO_PREFIX_CACHE);
  return (own & MODE_REF) | (ref ? MODE_REF : 0) | (cached ? MODE_PREFIX_CACHE : MODE_NO_PREFIX_CACHE);
}

function cwdOf(calls: SystemCalls): string {
  try {
    return calls.cwd();
  } catch {
    // It was removed, or is not below the root.
    return "(working directory)";
  }
}

/** The error that the call has for this result. */
function errorOf(
  calls: SystemCalls,
  result: number,
  call: string,
  path: Parameters<SystemCalls["open"]>[0],
): WalkError {
  try {
    // A driver that this thread has not registered is an error of its own.
    if (result === -ERRNO.ENXIO) calls.attachment.drivers.checkRegistered();
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return { code, message };
  }
  const { code, message } = systemCallError(result, call, path) as Error & { code: string };
  return { code, message };
}

function foundFile({ stat }: Attachment): FoundFile {
  const { [STAT.ino]: ino, [STAT.mode]: mode, [STAT.uid]: uid, [STAT.gid]: gid, [STAT.nlink]: nlink } = stat;
  return { ino, mode, uid, gid, nlink, size: stat[STAT.size] };
}
