/**
 * The operations on the trees with links: walks over them, by the prefix cache too, while the links, the directories that their bodies
 * lead through, and their times change.
 */
import { MNT_DETACH, O_CREAT, O_DIRECTORY, O_RDWR, O_WRONLY } from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall } from "../../model/call.js";
import { exchange, getdents, readlink, rename, rmdir, shrink, stat, umount, unlink } from "../calls.js";
import {
  accessed,
  bind,
  chmod,
  MOUNTED,
  mkdir,
  mount,
  OTHERWISE,
  open,
  ROOTED,
  symlink,
  UPWARD,
} from "../setup-calls.js";

export const LINKED: Record<string, (ProgramCall | ProgramCall[])[]> = {
  stat: [
    stat(`${UPWARD}/f`),
    stat(`${ROOTED}/f`),
    stat(`${ROOTED}/none`),
    stat(`${UPWARD}/f`, { ctx: 1 }),
    stat(OTHERWISE),
    stat(`${UPWARD}/f/x`),
    stat(`${MOUNTED}/f`),
  ],
  looks: [
    [stat(`${UPWARD}/f`), stat(UPWARD, { nofollow: true })],
    [stat(`${OTHERWISE}/f`), stat(`${UPWARD}/f`)],
    /** Once the link is at its new place, it is not at the old one. */
    [stat(`${UPWARD}/f`), stat("/l", { nofollow: true }), stat(`${UPWARD}/f`)],
    /** The same by a path that no thread has looked up before. */
    [stat(`/${UPWARD}/f`), stat(`/${UPWARD}/f`), stat("/l", { nofollow: true }), stat(`/${UPWARD}/f`)],
  ],
  /** After the first one what an entry leads over is looked at again, and the second one changes it. */
  counted: [[chmod("/o", 0o711), rename(UPWARD, "/l")]],
  open: [open(`${UPWARD}/f`, O_RDWR)],
  create: [open(`${ROOTED}/made`, O_CREAT | O_WRONLY), mkdir(`${UPWARD}/none`)],
  unlink: [unlink(UPWARD), unlink(ROOTED), unlink(`${ROOTED}/f`)],
  rename: [
    rename(UPWARD, "/l"),
    rename("/packages", "/o/packages"),
    rename("/s", "/t"),
    rename("/s/a", "/o/b"),
    rename(ROOTED, UPWARD),
  ],
  exchange: [exchange(UPWARD, OTHERWISE), exchange("/s", "/o"), exchange(UPWARD, ROOTED)],
  /** Away, and another in its place. */
  again: [
    [unlink(UPWARD), symlink("../o/a", UPWARD)],
    [unlink(ROOTED), symlink(OTHERWISE, ROOTED)],
    [unlink(UPWARD), mkdir(UPWARD)],
    [rename("/s/a", "/s/b"), rename("/o/a", "/s/a")],
  ],
  accessed: [accessed(UPWARD, 0)],
  chmod: [chmod("/s", 0o700)],
  mount: [mount("/s/a"), bind("/o", "/s"), mount(MOUNTED)],
  umount: [umount("/m", MNT_DETACH), [umount("/m"), mkdir(MOUNTED)]],
  shrink: [shrink],
};

/** The operations on a driver's links: what is kept of them goes with their nodes. */
export const DRIVER_LINKS: Record<string, (ProgramCall | ProgramCall[])[]> = {
  stat: [stat("/m/l/g"), stat("/m/t"), stat("/m/l", { nofollow: true })],
  looks: [[stat("/m/l/g"), stat("/m/l/g")]],
  readlink: [readlink("/m/l")],
  create: [open("/m/l/x", O_CREAT | O_WRONLY)],
  unlink: [unlink("/m/l"), unlink("/m/l/g"), [unlink("/m/s/g"), rmdir("/m/s")]],
  again: [[unlink("/m/l"), mkdir("/m/l")]],
  readdir: [[open("/m/l", O_DIRECTORY), getdents({ of: 0 })]],
  umount: [umount("/m", MNT_DETACH)],
  shrink: [shrink],
};
