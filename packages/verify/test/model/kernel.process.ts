/** The kernel's process: runs the calls of each request on its node:fs. */
import { type KernelRequest, runOnKernel } from "./kernel-runner.js";

process.on("message", (request: KernelRequest) => {
  process.send?.(runOnKernel(request));
});
