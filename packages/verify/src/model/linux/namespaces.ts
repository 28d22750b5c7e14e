/** Namespaces of mounts in the model (mount_namespaces(7)): each is a tree of mounts, which the contexts have that know its uppermost one. */
import { type Context, get, newMount, type Path, patch, type State } from "../state.js";
import { changePropagation, likeSource, treeOf } from "./propagation.js";

/** Copies a namespace. @returns the copies by their originals */
function copyNamespace(s: State, ns: number): Map<number, number> {
  const copies = new Map<number, number>();
  for (const m of treeOf(s, ns)) {
    const like = get(s.mounts, m);
    const copy = newMount(s, like.fs, like.root, like.flags);
    const parent = copies.get(like.parent) ?? 0;
    patch(s.mounts, copy, { ...likeSource(like), parent, point: like.point });
    copies.set(m, copy);
  }
  patch(s.mounts, copies.get(ns) ?? 0, { isNamespace: true });
  return copies;
}

/** Root, working directory and namespace in a copy of a namespace. */
export function inCopy(s: State, { root, cwd, ns = s.rootMount }: Pick<Context, "root" | "cwd" | "ns">) {
  const copies = copyNamespace(s, ns);
  const moved = ({ mnt, d }: Path): Path => ({ mnt: copies.get(mnt) ?? mnt, d });
  return { root: moved(root), cwd: moved(cwd), ns: copies.get(ns) };
}

/** A context has been closed: with the last one of a namespace its mounts are detached, and nothing is propagated. */
export function leaveNamespace(s: State, ctx: number): 0 {
  const { ns } = get(s.contexts, ctx);
  if (ns === undefined || !get(s.mounts, ns).isNamespace) return 0;
  if ([...s.contexts.values()].some(({ ns: other, closed }) => other === ns && !closed)) return 0;
  for (const m of treeOf(s, ns).reverse()) {
    changePropagation(s, m, "private");
    patch(s.mounts, m, { parent: 0, point: 0, isNamespace: false });
  }
  return 0;
}
