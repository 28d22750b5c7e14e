/**
 * The two sides every case runs on: node:fs over the kernel in a fresh temporary directory (the oracle) and threadfs,
 * in a directory of the very same absolute path, so that paths in answers and messages are equal letter by letter.
 *
 * A target is `{ label, root, fs, with(options, fn), close() }`. `fs` acts with the process's own credentials, umask
 * 022 and "/" as working directory; `with({ cwd, umask, as }, fn)` calls `fn(fs)` with others.
 */
import nodeFs from "node:fs";
import os from "node:os";
import path from "node:path";

/** The process's credentials: ours acts with the same ones, so that the suite also runs without root. */
export const SELF = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  groups: process.getgroups?.() ?? [],
};

export const UMASK = 0o022;

/** Arena of the tree under test. */
const MAX_BYTES = 1 << 28;

/** A tmpfs where there is one: that is the file system ours is modelled on. */
function tempBase() {
  try {
    nodeFs.accessSync("/dev/shm", nodeFs.constants.W_OK | nodeFs.constants.X_OK);
    return "/dev/shm";
  } catch {
    return nodeFs.realpathSync(os.tmpdir());
  }
}

/** A fresh directory of the kernel that others may search too. */
function freshRoot() {
  const root = nodeFs.mkdtempSync(path.join(tempBase(), "threadfs-"));
  nodeFs.chmodSync(root, 0o755);
  nodeFs.chownSync(root, SELF.uid, SELF.gid);
  return root;
}

/** node:fs over the kernel. The working directory and the umask are the process's and are put back afterwards. */
export function openKernel(root = freshRoot()) {
  process.umask(UMASK);
  process.chdir("/");
  return {
    label: "kernel",
    root,
    fs: nodeFs,
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
    close() {
      // Cases take permissions away from directories, which stops an ordinary user's recursive removal.
      nodeFs.rmSync(root, { recursive: true, force: true, maxRetries: 1 });
    },
  };
}

/** A fresh shared tree with a directory at `root`, owned as the oracle's is. */
export async function openOurs(root) {
  const { createVfs } = await import("../../dist/src/index.js");
  const vfs = await createVfs({ maxBytes: MAX_BYTES });
  vfs.fs.mkdirSync(root, { recursive: true });
  vfs.fs.chmodSync(root, 0o755);
  vfs.fs.chownSync(root, SELF.uid, SELF.gid);
  const base = SELF.uid === 0 ? undefined : vfs.context({ ...SELF, umask: UMASK, cwd: "/", root: "/" });
  return {
    label: "threadfs",
    root,
    vfs,
    fs: base?.fs ?? vfs.fs,
    with({ cwd = "/", umask = UMASK, as = SELF }, fn) {
      if (cwd === "/" && umask === UMASK && as === SELF) return fn(base?.fs ?? vfs.fs);
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

/**
 * Both sides: `{ kernel, ours, close() }`. CONFORMANCE_SELF=1 puts a second directory of the kernel in the place of
 * ours: whatever then differs is a fault of the suite.
 */
export async function openTargets() {
  const kernel = openKernel();
  try {
    const ours = process.env.CONFORMANCE_SELF ? openKernel() : await openOurs(kernel.root);
    return {
      kernel,
      ours,
      close() {
        kernel.close();
        ours.close();
      },
    };
  } catch (error) {
    kernel.close();
    throw error;
  }
}
