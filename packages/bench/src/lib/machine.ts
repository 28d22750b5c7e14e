// The machine that the figures were measured on, without its name.

import { readFileSync } from "node:fs";
import os from "node:os";

/** Bytes available without swapping. os.freemem() leaves out the page cache, which the kernel gives back. */
export function availableMemory(): number {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
    if (kilobytes !== undefined) return Number(kilobytes) * 1024;
  } catch {
    // Not Linux.
  }
  return os.freemem();
}

/** Whether the kernel backs anonymous memory with huge pages: "always", "madvise", "never" or "unknown". */
function hugePages(): string {
  try {
    const text = readFileSync("/sys/kernel/mm/transparent_hugepage/enabled", "utf8");
    return /\[(\w+)\]/.exec(text)?.[1] ?? "unknown";
  } catch {
    return "unknown";
  }
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  platform: string;
  node: string;
  v8: string;
  hugePages: string;
}

export function machine(): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? "unknown",
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    platform: `${os.type()} ${os.release().split(".").slice(0, 2).join(".")} ${os.arch()}`,
    node: process.versions.node,
    v8: process.versions.v8,
    hugePages: hugePages(),
  };
}
