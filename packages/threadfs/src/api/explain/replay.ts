/**
 * A call once more, in the debug build of the core, by the calling thread over its own slot.
 *
 * The shipping core reports no step of a walk. So a second instance of the core, of the build that does, is made for one call, and thrown
 * away behind it. The globals of an instance are its own, so it takes over the thread as the next thread of a slot does from the one before
 * it (threadShare() in core/sys/thread.ts): everything that a thread has beyond a call is in the slot and in the scratch area. Then the
 * first instance goes on (threadResume()): with the context that the slot says the thread has acquired.
 *
 * Guarantees
 *  - Never both: the call is synchronous, the first instance is in no call when it begins, and the attachment refuses calls from hooks.
 *    So there is one walk, one read-side section, one undo log in the slot at any time, as without it.
 *  - What the first instance knows stays true: an epoch that was safe stays so, entries of the prefix cache and of the table of searched
 *    directories are compared with sequences, and blocks of the prefix cache name their owner.
 *  - A thread that ends in it, a call that waits too long, and a panic are those of a call of the first instance: all that a recovery needs is in
 *    the slot, and the attachment takes back or recovers as ever.
 */
import { HOST_SECURITY } from "../../../abi/host.js";
import type { CoreExports } from "../../../generated/core-exports.js";
import { canWait } from "../../bridge/abilities.js";
import { type Attachment, STATE_PANIC } from "../../bridge/attachment.js";
import { hookName } from "../../bridge/driver-table.js";
import type { HookOwner, HostOptions, PointHook } from "../../bridge/host-imports.js";
import type { CoreModule } from "../../bridge/wasm.js";
import { codedError, invalidArgType, systemCallError } from "../../errors/errors.js";

/** What a replay reports, in order. */
export interface Reporter {
  readonly point: PointHook;
  /** A hook has been called. `of`: the driver's name, "" for the host. `op`: DRIVER_OP, -1: the security hook. */
  hook(name: string, of: string, op: number, answer: number): void;
}

/**
 * Makes a call with another build of the core, as this thread, and returns its result.
 * @param modes MODE_* bits of its walks
 * @throws as calls of the core; Error ERR_THREADFS_CORE: `module` is not the debug build of this version
 */
export function replay(
  attachment: Attachment,
  module: CoreModule,
  modes: number,
  reporter: Reporter,
  call: (core: CoreExports) => number,
): number {
  attachment.check();
  const slot = attachment.core.threadSlot();
  const { host } = attachment;
  checkBuild(module);
  const core = attachment.instantiate(ownerOf(attachment, module, reporter), hostOf(host, reporter));
  try {
    core.waitLimit(attachment.limit.ms);
    const shared = core.threadShare(slot, canWait() ? 1 : 0);
    if (shared < 0) throw systemCallError(shared, "explain");
    core.hostHooks(host.security === undefined ? 0 : HOST_SECURITY);
    core.walkMode(modes);
    const result = call(core);
    attachment.core.threadResume();
    return result;
  } catch (error) {
    if (error instanceof Error && "syscall" in error) throw error;
    attachment.state = STATE_PANIC;
    return attachment.poison(error);
  }
}

/** @throws TypeError ERR_INVALID_ARG_TYPE: no module; Error ERR_THREADFS_CORE: not the debug build of this version */
function checkBuild(module: CoreModule): void {
  if (!(module instanceof WebAssembly.Module)) {
    throw invalidArgType("options.core", "an instance of WebAssembly.Module", module);
  }
  const exported = WebAssembly.Module.exports(module).map(({ name }) => name);
  const reports = WebAssembly.Module.imports(module).some(({ name }) => name === "point");
  if (reports && exported.includes("threadShare") && exported.includes("sysWalk")) return;
  const message = "options.core is not the debug build of this version: compile threadfs/core.debug.wasm";
  throw codedError(Error, "ERR_THREADFS_CORE", message);
}

/** The attachment as the owner of another instance, whose calls to drivers are reported. */
function ownerOf(attachment: Attachment, module: CoreModule, reporter: Reporter): HookOwner {
  const { memory, transfer, drivers } = attachment;
  return {
    module,
    memory,
    transfer,
    drivers: {
      call(op, driver, a, b, c, d) {
        const answer = drivers.call(op, driver, a, b, c, d);
        reporter.hook(hookName(op), drivers.nameOf(driver), op, answer);
        return answer;
      },
    },
    runHook: (hook) => attachment.runHook(hook),
    panic: (code, a) => attachment.panic(code, a),
    timedOut: (word) => attachment.timedOut(word),
  };
}

/** The thread's host without its audit hook: an explanation is not an access. */
function hostOf(host: HostOptions, reporter: Reporter): HostOptions {
  const { security } = host;
  const reported: HostOptions = { ...host, audit: undefined, point: reporter.point };
  if (security !== undefined) {
    reported.security = (ino, mask, rcu) => {
      const answer = security(ino, mask, rcu);
      reporter.hook("security", "", -1, answer);
      return answer;
    };
  }
  return reported;
}
