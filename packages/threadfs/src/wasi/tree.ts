/** The tree of a program. */
import type { Context } from "../api/context.js";
import type { Vfs } from "../api/vfs.js";
import { invalidArgType } from "../errors/errors.js";
import type { SystemCalls } from "../node-fs/system-calls.js";

/** The calls of a tree or a context. @throws TypeError ERR_INVALID_ARG_TYPE; Error ERR_THREADFS_CLOSED */
export function callsOf(tree: Vfs | Context): SystemCalls {
  const calls = (tree as unknown as { calls?: SystemCalls } | null | undefined)?.calls;
  if (calls === undefined) throw invalidArgType("tree", "a Vfs or a Context", tree);
  calls.checkOpen();
  return calls;
}
