/**
 * Recounts what file systems with limits use, after a recount of references: what threads that died have left without a name is
 * freed then. All other threads are quiescent, so that none counts meanwhile.
 */
import { inodeSpace, isLimited } from "../../fs/tmpfs/quota";
import { Inode } from "../inode/inode";
import { CACHE_INODE, CACHE_SUPER } from "../layout";
import { SuperBlock } from "../mount/super";
import { xattrsSpace } from "../xattr/store";
import { FREE, firstObjectOf, nextObject } from "./objects";

/** Stores the sums of each file system. Objects that are free or retired are marked. */
export function recountQuotas(): void {
  let any = false;
  firstObjectOf(CACHE_SUPER);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const sb = changetype<SuperBlock>(p);
    if (sb.recount & FREE || !isLimited(sb)) continue;
    any = true;
    sb.usedBlocks = 0;
    sb.usedSpace = 0;
  }
  if (!any) return;
  firstObjectOf(CACHE_INODE);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const i = changetype<Inode>(p);
    // One that the recount has freed has no reference.
    if (i.recount & FREE || load<u32>(i.count) == 0 || !isLimited(i.sb)) continue;
    const sb = i.sb;
    sb.usedBlocks = sb.usedBlocks + i.pages;
    sb.usedSpace = sb.usedSpace + inodeSpace(i) + xattrsSpace(i);
  }
}
