/** Peer groups and slaves of mounts in the model: what an attach and a detach propagate to (mount_namespaces(7)). */
import { get, isBelow, type Mount, newId, newMount, patch, type State } from "../state.js";

export type Propagation = "shared" | "slave" | "private" | "unbindable";

/** The mounts of a group, or with "master" those that receive from it. */
const allOf = (s: State, group: number, by: "group" | "master" = "group"): number[] =>
  [...s.mounts].filter(([, m]) => m[by] === group).map(([id]) => id);

/** The mount on a dentry in a mount. */
export function mountOn(s: State, parent: number, point: number): number | undefined {
  for (const [id, m] of s.mounts) if (m.parent === parent && m.point === point) return id;
  return undefined;
}

/** A mount and those below it, each behind the one that it stands on. */
export function treeOf(s: State, top: number): number[] {
  const list = [top];
  for (const m of list) for (const [id, { parent }] of s.mounts) if (parent === m) list.push(id);
  return list;
}

function share(s: State, m: number): void {
  patch(s.mounts, m, { group: get(s.mounts, m).group ?? newId(s), unbindable: false });
}

/** Changes how one mount shares what is mounted in it. */
export function changePropagation(s: State, m: number, to: Propagation): void {
  if (to === "shared") {
    share(s, m);
    return;
  }
  const { group, master, unbindable } = get(s.mounts, m);
  const alone = group === undefined || allOf(s, group).length === 1;
  // What receives from a group that ends receives from where that one did.
  if (group !== undefined && alone) for (const slave of allOf(s, group, "master")) patch(s.mounts, slave, { master });
  const from = alone ? master : group;
  const stays = to === "slave" ? unbindable : to === "unbindable";
  patch(s.mounts, m, { group: undefined, master: to === "slave" ? from : undefined, unbindable: stays });
}

/** mount(2) with MS_SHARED and the like, with MS_REC or without. */
export function changeType(s: State, m: number, to: Propagation, recursive: boolean): void {
  for (const one of recursive ? treeOf(s, m) : [m]) changePropagation(s, one, to);
}

/** How a bind of a mount shares: as a peer of it, beside it. */
export const likeSource = ({ group, master }: Mount): Partial<Mount> => ({ group, master });

/** Where an attach in a mount happens too: by groups, each before what receives from it, with the group that it receives from. */
function* placesOf(s: State, parent: number): Iterable<{ place: number; from: number[] }> {
  function* of(group: number, from: number[]): Iterable<{ place: number; from: number[] }> {
    for (const place of allOf(s, group)) yield { place, from };
    const slaves = allOf(s, group, "master");
    const groups = new Set(slaves.map((m) => get(s.mounts, m).group));
    for (const one of slaves) if (get(s.mounts, one).group === undefined) yield { place: one, from: [group, ...from] };
    for (const one of groups) if (one !== undefined) yield* of(one, [group, ...from]);
  }
  const group = s.mounts.get(parent)?.group;
  if (group !== undefined) yield* of(group, []);
}

/** Whether what is attached in a mount is so in another one too. */
export const receives = (s: State, from: number, m: number): boolean =>
  [...placesOf(s, from)].some(({ place }) => place === m);

/** The last of the mounts on the root of a mount. */
export function topmost(s: State, m: number): number {
  const on = mountOn(s, m, get(s.mounts, m).root);
  return on === undefined ? m : topmost(s, on);
}

/**
 * Attaches a mount with those on it, and copies of them where the mount that it comes to stand in propagates to. `fresh`: mounts that the call has made, which are
 * no places.
 */
export function attachTree(s: State, top: number, parent: number, point: number, fresh: readonly number[]): void {
  const { group } = get(s.mounts, parent);
  const places = [...placesOf(s, parent)].filter(
    ({ place }) => place !== parent && !fresh.includes(place) && isBelow(s, point, get(s.mounts, place).root),
  );
  const nodes = treeOf(s, top);
  if (group !== undefined) for (const m of nodes) share(s, m);
  /** The copies in a group: by what each is a copy of. */
  const copies = new Map([[group, new Map(nodes.map((m) => [m, m]))]]);
  const tops: { copy: number; place: number }[] = [];
  for (const { place, from } of places) {
    const own = get(s.mounts, place).group;
    const peers = own === undefined ? undefined : copies.get(own);
    const above = from.map((g) => copies.get(g)).find((found) => found !== undefined);
    const made = new Map<number, number>();
    for (const m of nodes) {
      const { fs, root, flags, parent: on, point: at } = get(s.mounts, m);
      const copy = newMount(s, fs, root, flags);
      made.set(m, copy);
      const peer = peers?.get(m);
      if (peer !== undefined) patch(s.mounts, copy, likeSource(get(s.mounts, peer)));
      else {
        const master = get(s.mounts, above?.get(m) ?? 0).group;
        patch(s.mounts, copy, { master, ...(own !== undefined && { group: newId(s) }) });
      }
      if (m !== top) patch(s.mounts, copy, { parent: made.get(on) ?? 0, point: at });
    }
    if (own !== undefined && peers === undefined) copies.set(own, made);
    tops.push({ copy: made.get(top) ?? 0, place });
  }
  patch(s.mounts, top, { parent, point });
  for (const { copy, place } of tops) {
    const above = mountOn(s, place, point);
    const over = topmost(s, copy);
    patch(s.mounts, copy, { parent: place, point });
    if (above !== undefined) patch(s.mounts, above, { parent: over, point: get(s.mounts, over).root });
  }
}

/** What else goes when mounts are unmounted: in their places elsewhere, with nothing on it that stays but what covers it. */
export function goesToo(s: State, gone: readonly number[]): Set<number> {
  const too = new Set<number>();
  for (const m of gone) {
    const { parent, point } = get(s.mounts, m);
    for (const { place } of placesOf(s, parent)) {
      const on = mountOn(s, place, point);
      if (on !== undefined && !gone.includes(on)) too.add(on);
    }
  }
  const stays = (m: number | undefined): boolean => {
    if (m === undefined || gone.includes(m)) return false;
    return !too.has(m) || stays(mountOn(s, m, get(s.mounts, m).root));
  };
  for (let more = true; more; ) {
    more = false;
    for (const [id, { parent, point }] of s.mounts)
      if (too.has(parent) && point !== get(s.mounts, parent).root && stays(id)) more = too.delete(parent) || more;
  }
  return too;
}

/** A mount leaves the tree, and its group; what covers it and stays comes to stand in its place. */
export function detachMount(s: State, m: number): void {
  const { parent, point, root } = get(s.mounts, m);
  const cover = mountOn(s, m, root);
  changePropagation(s, m, "private");
  patch(s.mounts, m, { parent: 0, point: 0 });
  if (cover !== undefined) patch(s.mounts, cover, { parent, point });
}

/** Whether mounts have one that may not be bound. */
export const hasUnbindable = (s: State, mounts: readonly number[]): boolean =>
  mounts.some((m) => get(s.mounts, m).unbindable);
