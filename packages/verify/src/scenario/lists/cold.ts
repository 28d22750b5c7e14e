/** The operations on a driver's file system of which nothing is cached: lookups that are in the driver at the same time. */
import { MNT_DETACH, O_CREAT, O_DIRECTORY, O_EXCL, O_WRONLY } from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall } from "../../model/call.js";
import { getdents, rename, rmdir, shrink, stat, umount, unlink } from "../calls.js";
import { mkdir, open } from "../setup-calls.js";

export const COLD: Record<string, (ProgramCall | ProgramCall[])[]> = {
  lookup: [stat("/m/f"), stat("/m/s/g"), stat("/m/x")],
  lookups: [[stat("/m/x"), stat("/m/f")]],
  create: [open("/m/x", O_CREAT | O_WRONLY), mkdir("/m/x"), open("/m/f", O_CREAT | O_EXCL)],
  unlink: [unlink("/m/f"), rmdir("/m/s"), [unlink("/m/s/g"), rmdir("/m/s")]],
  again: [[unlink("/m/f"), mkdir("/m/f")]],
  rename: [rename("/m/f", "/m/x")],
  readdir: [[open("/m", O_DIRECTORY), getdents({ of: 0 })]],
  umount: [umount("/m", MNT_DETACH)],
  shrink: [shrink],
};
