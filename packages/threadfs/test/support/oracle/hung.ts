/** The limit of a child process. */
import type { ChildProcess } from "node:child_process";
import { HANG_MS } from "../../../../verify/dist/support/hang.js";

/**
 * Ends a child process that hangs. In place of the option `timeout` of fork(): in Node 26 its timer goes on when the child has been
 * disconnected and has ended, and keeps this process from ending.
 */
export function endIfHung(child: ChildProcess): void {
  const timer = setTimeout(() => child.kill(), HANG_MS);
  const stop = () => clearTimeout(timer);
  child.once("exit", stop);
  child.once("error", stop);
}
