/**
 * The entries of a directory in memory, in the order in which they were added, for a caller that has its i_mutex, be it shared. No name
 * comes, goes or moves meanwhile, so an entry stays in the list of children, and the one behind it can be read without a lock. What leaves
 * the list meanwhile, under childLock alone, are children without a name: of removed files that are not used any more, and of files that never had one.
 */
import { corrupt } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { D_NEGATIVE, D_TYPE, D_UNHASHED, Dentry } from "./dentry";

/** The first entry of a directory; null: it has none. */
export function firstEntry(parent: Dentry): Dentry {
  const first = changetype<Dentry>(<usize>parent.firstChild);
  return !first || isEntry(parent, first) ? first : entryBehind(parent, changetype<Dentry>(0));
}

/**
 * scan_positives(): the first entry behind `d`, which is an entry of `parent`, or a child on which the caller has a reference. null: `d` is
 * the last one.
 */
export function nextEntry(parent: Dentry, d: Dentry): Dentry {
  const next = changetype<Dentry>(<usize>d.sibNext);
  // A child without a name may have left the list, and be another directory's by now.
  return !next || isEntry(parent, next) ? next : entryBehind(parent, d);
}

/**
 * Whether `d` is an entry of this directory. It was a child of it when the caller found it; what has the memory now has a parent of its own
 * before it has a name, so the flags are loaded first.
 */
function isEntry(parent: Dentry, d: Dentry): bool {
  const flags = d.flags;
  return (flags & D_TYPE) != D_NEGATIVE && !(flags & D_UNHASHED) && d.parent == parent;
}

/** The same under childLock, where every child is in its place. `from` null: the first entry. */
function entryBehind(parent: Dentry, from: Dentry): Dentry {
  lock(parent.childLock);
  let before: u64 = from ? from.cookie : 0;
  let d = changetype<Dentry>(<usize>(from ? from.sibNext : parent.firstChild));
  while (d && !isEntry(parent, d)) {
    // Cookies are strictly increasing; anything else is corruption.
    if (d.cookie <= before) corrupt(d.at);
    before = d.cookie;
    d = changetype<Dentry>(<usize>d.sibNext);
  }
  unlock(parent.childLock);
  return d;
}
