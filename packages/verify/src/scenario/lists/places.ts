/** Contexts with their own roots and working directories, and the names above those, which change. */
import type { ProgramCall } from "../../model/call.js";
import { chdir, chroot, close, exchange, getcwd, realpath, rename, rmdir, stat } from "../calls.js";
import { mkdir, mount } from "../setup-calls.js";

export const PLACES: Record<string, (ProgramCall | ProgramCall[])[]> = {
  getcwd: [getcwd(1), getcwd(2)],
  stat: [
    stat("..", { ctx: 1 }),
    stat("w", { ctx: 1 }),
    stat("../..", { ctx: 2 }),
    stat("/f", { ctx: 2 }),
    stat("..", { dirfd: 3, ctx: 1 }),
  ],
  realpath: [realpath(".", 1), realpath("..", 2)],
  chdir: [chdir("w", 1), chdir("/o", 1), chdir("/", 2)],
  chroot: [chroot("/d", 1), chroot("e", 2)],
  rename: [
    rename("/d/e", "/o/e"),
    rename("/d", "/o/d"),
    exchange("/d/e", "/o"),
    rename("/o", "/d/e/w"),
    // "/p/e" is never a path: who reads the names on the way up one by one meets the first rename before and the second after it.
    [rename("/d/e", "/o/e"), rename("/d", "/p")],
  ],
  rmdir: [rmdir("/d/e/w"), rmdir("w", 1)],
  create: [mkdir("x", 0o755, 1), mkdir("/e/x", 0o755, 2)],
  mount: [mount("/d/e"), mount("/d")],
  close: [{ ...close(3), ctx: 1 }],
};
