/** What the kernel protects in directories that others may write (/proc/sys/fs), as options of a tree that is compared with it. */
import { readFileSync } from "node:fs";
import type { ProtectOptions } from "../../../dist/src/index.js";

/** The value of a setting; 0 where there is none. */
function setting(name: string): number {
  try {
    return Number(readFileSync(`/proc/sys/fs/protected_${name}`, "utf8"));
  } catch {
    return 0;
  }
}

const level = (name: string): 0 | 1 | 2 => Math.min(setting(name), 2) as 0 | 1 | 2;

export const kernelProtection = (): Required<{
  [K in keyof ProtectOptions]: Exclude<ProtectOptions[K], undefined>;
}> => ({
  protectedSymlinks: setting("symlinks") !== 0,
  protectedHardlinks: setting("hardlinks") !== 0,
  protectedRegular: level("regular"),
  protectedFifos: level("fifos"),
});
