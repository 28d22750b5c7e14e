/**
 * Where the kernel's side of a test works. Tests make random calls there, and calls with wrong arguments, so that a call may reach
 * any path. A superuser's calls would change the machine: so its process gets a mount namespace and a root directory of its own, an
 * empty tmpfs in which the machine's directories are mounted read-only. Another user's calls are refused outside of a directory by the
 * permissions of the machine.
 */
import { spawnSync } from "node:child_process";
import { accessSync, chmodSync, chownSync, constants, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { oracleNode } from "./oracle.js";

/** Set by a superuser who may not mount: the kernel's side then works on the machine itself. */
const UNCONFINED = "THREADFS_ORACLE_UNCONFINED";

const NAMESPACE = ["--mount", "--propagation", "private"] as const;

/**
 * Arguments: the directory on which the root is mounted, the path of the run's directory below it, the command. The root is not
 * copied into itself where the machine's directories are mounted with all that is mounted in them.
 */
const CONFINE = `set -eu
new=$1
run=$2
shift 2
mount -t tmpfs -o mode=755 tmpfs "$new"
mount --make-unbindable "$new"
for from in /* /.[!.]*; do
  if [ -L "$from" ]; then cp -P "$from" "$new$from"
  elif [ -d "$from" ]; then mkdir "$new$from"; mount --rbind "$from" "$new$from"
  fi
done
while read -r _ _ _ _ at _; do
  case $at in "$new"/*) mount -o remount,bind,ro "$(printf %b "$at")" ;; esac
done < /proc/self/mountinfo
mkdir "$new$run"
exec chroot "$new" "$@"`;

/** A place for one process. */
export interface KernelPlace {
  /** The path of an empty directory that other users may search, in the file system that the process sees. */
  readonly root: string;
  /** Options of child_process.fork() that start the oracle's Node.js in this place. */
  readonly command: { readonly execPath: string; readonly execArgv: string[] };
  /** Removes what is left of it, when the process has ended. */
  remove(): void;
}

/** A tmpfs where there is one: threadfs is modelled on it. */
function tempBase(): string {
  try {
    accessSync("/dev/shm", constants.W_OK | constants.X_OK);
    return "/dev/shm";
  } catch {
    return realpathSync(tmpdir());
  }
}

let mayMount: boolean | undefined;

/** Whether this process's calls must be confined. @throws Error if they must be and cannot */
function confined(): boolean {
  if (process.getuid?.() !== 0 || process.env[UNCONFINED] === "1") return false;
  mayMount ??= spawnSync("unshare", [...NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", tempBase()]).status === 0;
  if (mayMount) return true;
  throw new Error(
    `root's random calls run in a mount namespace, and this process may not make one: run the tests as another user, or with CAP_SYS_ADMIN, or set ${UNCONFINED}=1 on a machine that may be damaged`,
  );
}

/** Makes a place. @throws Error that says what to do if a superuser's process cannot be confined */
export function kernelPlace(): KernelPlace {
  const apart = confined();
  const dir = mkdtempSync(join(tempBase(), "threadfs-"));
  chmodSync(dir, 0o755);
  // A temporary directory may give its own group to what is made in it.
  if (process.getuid && process.getgid) chownSync(dir, process.getuid(), process.getgid());
  const remove = () => rmSync(dir, { recursive: true, force: true, maxRetries: 1 });
  if (!apart) return { root: dir, command: { execPath: oracleNode(), execArgv: [] }, remove };
  const root = `/${basename(dir)}`;
  const execArgv = [...NAMESPACE, "sh", "-c", CONFINE, "confine", dir, root, oracleNode()];
  return { root, command: { execPath: "unshare", execArgv }, remove };
}
