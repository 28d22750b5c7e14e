/**
 * Directories that this thread has found searchable for a context, although not every user may search them: what mode bits, owner, group
 * and ACL say is evaluated once, and then compared as a number. Each thread has its own table, in its scratch area.
 *
 * Guarantees
 *  - An entry states what stays true forever: "the context of this number may search this dentry's directory under this sequence". A context
 *    keeps its user, groups and capabilities and its number is never another's; a directory in memory changes mode, owner, group or ACL
 *    in a transaction that moves the sequence of its dentry (modeChangeEnd()). The walk has loaded the sequence before it asks, and checks it
 *    afterwards.
 *  - A driver's directories get no entry: their attributes change before the sequence does.
 *  - As with the prefix cache, entries from before G_SEQ_WRAPS has moved are forgotten.
 *
 * Entry (16 bytes): 0 sequence u32  4 dentry u32  8 number of the context f64. No dentry: no entry.
 */
import { G_SEQ_WRAPS } from "../../mem/layout";
import { scratch } from "../../mem/thread";
import { I_DRIVER, Inode } from "../inode/inode";
import { S_SEARCHED, SEARCHED } from "../layout";
import { Nameidata } from "./nameidata";
import { mayExecMemory } from "./permission";

/** G_SEQ_WRAPS when the table was cleared. */
export let searchedWraps: u64 = 0;

/** Clears the table: at the start of a thread too, because the one that had the slot before may have left anything. */
export function clearSearched(wraps: u64): void {
  memory.fill(scratch + S_SEARCHED, 0, SEARCHED << 4);
  searchedWraps = wraps;
}

/** The place of a dentry, which is a multiple of 128. */
function entryOf(d: u32): usize {
  return scratch + S_SEARCHED + ((d >> 3) & ((SEARCHED - 1) << 4));
}

/** Whether the table knows that the walk's context may search this dentry's directory under this sequence. rcuWalk() has the same inline. */
function isSearched(nd: Nameidata, d: u32, seq: u32): bool {
  const e = entryOf(d);
  if (load<u64>(e) != (((<u64>d) << 32) | seq)) return false;
  if (load<f64>(e, 8) != nd.ctxNumber) return false;
  return <u64>atomic.load<u32>(G_SEQ_WRAPS) == searchedWraps;
}

/** Whether the walk's context may search a directory: asks the table, and else the inode, whose answer the table gets. */
export function maySearch(nd: Nameidata, d: u32, seq: u32, inode: u32): bool {
  if (isSearched(nd, d, seq)) return true;
  if (inode == 0) return false;
  const wraps = <u64>atomic.load<u32>(G_SEQ_WRAPS);
  const i = changetype<Inode>(<usize>inode);
  if (!mayExecMemory(nd.ctx, i)) return false;
  if (i.mode & I_DRIVER) return true;
  if (wraps != searchedWraps) clearSearched(wraps);
  const e = entryOf(d);
  store<u64>(e, 0);
  store<f64>(e, nd.ctxNumber, 8);
  store<u64>(e, ((<u64>d) << 32) | seq);
  return true;
}
