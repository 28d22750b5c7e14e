/** What the tests of propagation and of namespaces share: where mounts stand, and threads that die in their calls. */
import type { Context, Vfs } from "../../../../dist/src/index.js";
import type { DebugTree } from "../../../support/debug-tree.js";
import { codeOf } from "../../../support/errors.js";

/** Where mounts of a source stand. */
export const places = (of: Vfs | Context, source: string): string[] =>
  of
    .mounts()
    .filter((mount) => mount.source === source)
    .map(({ mountPoint }) => mountPoint)
    .sort();

/** Ends a thread at the nth pass of a point in its call, and lets another one recover it. False: the call did not pass it so often. */
export async function dies(tree: DebugTree, point: number, nth: number, call: (dying: Vfs) => void): Promise<boolean> {
  const dying = await tree.attach();
  const end = () => {
    throw new Error("ends here");
  };
  dying.at(point, end, nth);
  const code = codeOf(() => call(dying));
  await new Promise((resolve) => setImmediate(resolve));
  tree.vfs.fs.writeFileSync("/u/x", "");
  return code === "ERR_THREADFS_PANIC";
}
