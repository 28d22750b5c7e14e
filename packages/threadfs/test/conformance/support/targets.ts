/**
 * The two sides on which every case runs: node:fs over the kernel in a fresh directory, in the oracle's process,
 * and threadfs, in a directory of the very same absolute path, so that paths in values and messages are equal.
 */
import nodeFs from "node:fs";
import type { Vfs } from "../../../dist/src/index.js";
import type { FsCalls } from "../../support/fs-calls.js";
import { kernelProtection } from "../../support/oracle/kernel-protection.js";
import type { Credentials, Step } from "./case.js";

/** How a call is made; what is left out is as in {@link Target.fs}. */
export interface CallOptions {
  readonly cwd?: string | undefined;
  readonly umask?: number | undefined;
  readonly as?: Credentials | undefined;
}

/** One side. */
export interface Target {
  readonly label: "kernel" | "threadfs";
  /** The directory of this run. */
  readonly root: string;
  /** Acts with the credentials of the process, umask 022 and "/" as working directory. */
  readonly fs: FsCalls;
  /** The tree of threadfs; the kernel has none. */
  readonly vfs?: Vfs;
  /** Directories of the cases that share one, by their setup. */
  readonly shared: Map<Step, string>;
  /** Calls `fn` with an `fs` that acts by these options. The kernel ignores `as`. */
  with<T>(options: CallOptions, fn: (fs: FsCalls) => T): T;
  close(): void;
}

/** The process's credentials: threadfs acts with the same ones, so that the suite also runs without root. */
export const SELF: Credentials = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  groups: process.getgroups?.() ?? [],
};

export const UMASK = 0o022;

/** Size of the tree under test. */
const MAX_BYTES = 1 << 28;

/** node:fs over the kernel. Working directory and umask are the process's: with() restores them afterwards. */
export function openKernel(root: string): Target {
  process.umask(UMASK);
  process.chdir("/");
  return {
    label: "kernel",
    root,
    fs: nodeFs,
    shared: new Map(),
    with({ cwd = "/", umask = UMASK }, fn) {
      if (cwd === "/" && umask === UMASK) return fn(nodeFs);
      const before = process.cwd();
      process.umask(umask);
      try {
        process.chdir(cwd);
        return fn(nodeFs);
      } finally {
        process.chdir(before);
        process.umask(UMASK);
      }
    },
    close() {},
  };
}

/** A fresh shared tree with a directory at `root`, owned as the oracle's is. */
export async function openOurs(root: string): Promise<Target> {
  const { createVfs } = await import("../../../dist/src/index.js");
  const vfs = await createVfs({ maxBytes: MAX_BYTES, ...kernelProtection() });
  vfs.fs.mkdirSync(root, { recursive: true });
  vfs.fs.chmodSync(root, 0o755);
  vfs.fs.chownSync(root, SELF.uid, SELF.gid);
  const base = SELF.uid === 0 ? undefined : vfs.context({ ...SELF, umask: UMASK, cwd: "/", root: "/" });
  const fs = base?.fs ?? vfs.fs;
  return {
    label: "threadfs",
    root,
    vfs,
    fs,
    shared: new Map(),
    with({ cwd = "/", umask = UMASK, as = SELF }, fn) {
      if (cwd === "/" && umask === UMASK && as === SELF) return fn(fs);
      const context = vfs.context({ ...as, umask, cwd, root: "/" });
      try {
        return fn(context.fs);
      } finally {
        context.close();
      }
    },
    close() {
      base?.close();
      vfs.close();
    },
  };
}
