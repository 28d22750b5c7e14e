/**
 * Names of mount points in the model: a name is in use by the mounts on it in the caller's namespace; those of other namespaces move with it, or go after it, one a step,
 * under the namespace lock.
 */
import { get, isBelow, isBelowRemoved, isMountpoint, type State } from "../state.js";
import type { Again, Me } from "../steps.js";
import { detachMount } from "./propagation.js";

/** A name that was removed takes no mount, and nothing below it does. */
export const isGone = (s: State, d: number): boolean => !get(s.dentries, d).hashed || isBelowRemoved(s, d);

/** The uppermost mount of where a mount is: that of a namespace, unless it is detached. */
function wayUp(s: State, m: number): number {
  let top = m;
  for (let { parent } = get(s.mounts, top); parent !== 0; parent = get(s.mounts, top).parent) top = parent;
  return top;
}

/** Whether names may go or move: what a call on one of them returns. */
export function refuseMountpoints(s: State, me: Me, names: readonly (number | undefined)[]): 0 | string {
  if (!names.some((d) => d !== undefined && isMountpoint(s, d))) return 0;
  const { ns = s.rootMount, closed } = get(s.contexts, me.ctx);
  if (closed) return "EBADF";
  const local = [...s.mounts].some(
    ([id, { parent, point }]) => parent !== 0 && names.includes(point) && wayUp(s, id) === ns,
  );
  return local ? "EBUSY" : 0;
}

/** The lock that a change of these names takes. */
export const mountpointLock = (s: State, names: readonly (number | undefined)[]): string | undefined =>
  names.some((d) => d !== undefined && isMountpoint(s, d)) ? "namespace" : undefined;

/** A name has been removed, or one of the mounts on it has been detached: whether there are more. */
export const moreOn = (s: State, d: number): 0 | Again => (isMountpoint(s, d) ? { again: d } : 0);

/** The mount to detach next: on the newest mount on the dentry or below it, the one on which nothing is mounted. */
export function uppermostBelow(s: State, d: number): number | undefined {
  const newest = [...s.mounts].reverse();
  let top = newest.find(([, { parent, point }]) => parent !== 0 && isBelow(s, point, d))?.[0];
  for (let on = top; on !== undefined; on = newest.find(([, { parent }]) => parent === top)?.[0]) top = on;
  return top;
}

/** Detaches one mount of those on a name that was removed, or of what stands on them. */
export function detachNext(s: State, d: number): 0 | Again {
  const top = uppermostBelow(s, d);
  if (top !== undefined) detachMount(s, top);
  return moreOn(s, d);
}

/** What a dead thread has left on names that it has removed. */
export function detachNameless(s: State): void {
  for (const [d, { hashed, isRoot }] of s.dentries) if (!hashed && !isRoot) while (detachNext(s, d) !== 0);
}
