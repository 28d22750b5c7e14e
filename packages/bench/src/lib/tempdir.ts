// Directories for the kernel's side of a comparison. They are removed however the bench ends.

import { accessSync, constants, mkdtempSync, rmSync, statfsSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const made = new Set<string>();

/** Where node:fs and C look things up: memory if there is a file system for that, so that no lookup waits for a disk. */
export function fastestDirectory(): string {
  try {
    accessSync("/dev/shm", constants.W_OK | constants.X_OK);
    return "/dev/shm";
  } catch {
    return os.tmpdir();
  }
}

/** statfs(2) magic numbers. */
const TYPES = new Map([
  [0x01021994, "tmpfs"],
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x794c7630, "overlayfs"],
]);

/** Name of the file system that holds a directory. */
export function fileSystemType(directory: string): string {
  try {
    const type = statfsSync(directory).type;
    return TYPES.get(type) ?? `type 0x${type.toString(16)}`;
  } catch {
    return "unknown";
  }
}

/** Number of files that can still be made there; Infinity where the file system does not count them. */
export function freeInodes(directory: string): number {
  try {
    const { files, ffree } = statfsSync(directory);
    return files === 0 ? Number.POSITIVE_INFINITY : ffree;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

export function makeTempDirectory(base = fastestDirectory()): string {
  const directory = mkdtempSync(path.join(base, "threadfs-bench-"));
  made.add(directory);
  return directory;
}

export function removeTempDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 2 });
  made.delete(directory);
}

process.on("exit", () => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
