/** statx(2). */

import * as ERRNO from "../../../abi/errno.js";
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  STATX_ATTR_MOUNT_ROOT,
  STATX_BASIC_STATS,
  STATX_BTIME,
  STATX_MNT_ID,
  STATX_MNT_ID_UNIQUE,
  STATX_RESERVED,
} from "../../../abi/flags.js";
import * as STAT from "../../../abi/stat.js";
import type { StatNumbers } from "../../bridge/attachment.js";
import { flagOption, type KeysOf, readOptions } from "../../bridge/options.js";
import { systemCallError } from "../../errors/errors.js";
import { toFd, toPath, toUint32 } from "../args.js";
import { operation } from "../operation.js";
import type { Statx, StatxOptions, StatxTime } from "./types.js";

const OPTIONS: KeysOf<StatxOptions> = { nofollow: true, mask: true };

const time = (sec: number, nsec: number): StatxTime => ({ sec: BigInt(sec), nsec });

function statxOf(s: StatNumbers, mask: number, attributes: number, mount: number): Statx {
  const birth = mask & STATX_BTIME ? { btime: time(s[STAT.birthtimeSec], s[STAT.birthtimeNsec]) } : {};
  return {
    mask: STATX_BASIC_STATS | (mask & STATX_BTIME) | (mask & STATX_MNT_ID_UNIQUE || STATX_MNT_ID),
    blksize: s[STAT.blksize],
    attributes,
    attributesMask: STATX_ATTR_MOUNT_ROOT,
    nlink: s[STAT.nlink],
    uid: s[STAT.uid],
    gid: s[STAT.gid],
    mode: s[STAT.mode],
    ino: BigInt(s[STAT.ino]),
    size: BigInt(s[STAT.size]),
    blocks: BigInt(s[STAT.blocks]),
    dev: BigInt(s[STAT.dev]),
    rdev: BigInt(s[STAT.rdev]),
    atime: time(s[STAT.atimeSec], s[STAT.atimeNsec]),
    mtime: time(s[STAT.mtimeSec], s[STAT.mtimeNsec]),
    ctime: time(s[STAT.ctimeSec], s[STAT.ctimeNsec]),
    mntId: BigInt(mount),
    ...birth,
  };
}

export const statx = operation(
  (file: unknown, options?: unknown) => {
    const checked = typeof file === "number" ? toFd(file) : toPath(file, "file");
    const { nofollow, mask } = readOptions<StatxOptions>(options, OPTIONS);
    return {
      file: checked,
      nofollow: flagOption(nofollow, "options.nofollow"),
      mask: mask === undefined ? STATX_BASIC_STATS | STATX_BTIME : toUint32(mask, "options.mask"),
    };
  },
  (calls, { file, nofollow, mask }): Statx => {
    const { core, ctx, attachment } = calls;
    const isFd = typeof file === "number";
    const path = isFd ? undefined : file;
    calls.checkOpen();
    if (mask >= STATX_RESERVED) throw systemCallError(-ERRNO.EINVAL, "statx", path);
    const length = calls.putPath(path ?? "", "statx");
    const flags = (nofollow ? AT_SYMLINK_NOFOLLOW : 0) | (isFd ? AT_EMPTY_PATH : 0);
    const attributes = calls.check(core.sysStatx(ctx, isFd ? file : calls.dirfd, length, flags), "statx", path);
    return statxOf(attachment.stat, mask, attributes, attachment.ioNumbers[0] as number);
  },
);
