/** Times of access of the model, as on a mount with relatime. */
import { wantWrite } from "./permission.js";
import { get, patch, type State } from "./state.js";

const DAY_SECONDS = 86400;

const seconds = (ms: number) => Math.floor(ms / 1000);

/** touch_atime(): a read, a listing or a followed link has used this inode through a mount. */
export function accessed(s: State, mnt: number, ino: number): void {
  const i = get(s.inodes, ino);
  if (get(s.filesystems, i.fs).driver !== 0 || wantWrite(s, mnt)) return;
  const fresh = i.atime > i.mtime && i.atime > i.ctime && seconds(s.now) - seconds(i.atime) < DAY_SECONDS;
  if (!fresh) patch(s.inodes, ino, { atime: s.now });
}
