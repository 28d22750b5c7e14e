/**
 * The tests' side of the kernel: a process that makes the calls. They are random calls, so that a superuser's process has a root
 * directory of its own (packages/tools/src/kernel-place.ts).
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { kernelPlace } from "../../../tools/dist/kernel-place.js";
import type { KernelReply, KernelRequest } from "./kernel-runner.js";

export interface Kernel {
  /** Runs calls in a fresh directory, one request at a time. @throws Error if the process ends */
  run(request: Omit<KernelRequest, "root">): Promise<KernelReply>;
  close(): Promise<void>;
}

export function openKernel(): Kernel {
  const { root, command, remove } = kernelPlace();
  const child = fork(new URL("./kernel.process.js", import.meta.url), {
    ...command,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined },
  });
  const exit = once(child, "exit");
  return {
    async run(request) {
      const reply = once(child, "message");
      child.send({ root, ...request } satisfies KernelRequest);
      const ended = exit.then(([code, signal]) => {
        throw new Error(`the kernel's process ended: ${signal ?? code}`);
      });
      return (await Promise.race([reply, ended]))[0];
    },
    async close() {
      if (child.connected) child.disconnect();
      await exit;
      remove();
    },
  };
}
