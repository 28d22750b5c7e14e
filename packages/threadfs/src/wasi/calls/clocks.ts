/** The clocks, in nanoseconds. */

import type { HostOptions } from "../../bridge/host-imports.js";
import { nodeProcess } from "../../bridge/node.js";
import { CLOCK, ERRNO } from "../preview1.js";
import type { Program } from "../program.js";

interface Clocks {
  hrtime?: { bigint?(): bigint };
  cpuUsage?(): { user: number; system: number };
  threadCpuUsage?(): { user: number; system: number };
}

/** What the clocks of a host can tell apart. */
const RESOLUTION = 1000n;

const inNanoseconds = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1000)) * 1000n;
const used = ({ user, system }: { user: number; system: number }): bigint => BigInt(user + system) * 1000n;

/** Reads a clock: undefined where the host has none of that kind. The monotonic one is the same in all threads. */
export function makeClock(host: HostOptions): (id: number) => bigint | undefined {
  const process = nodeProcess() as Clocks | undefined;
  const { timeOrigin } = performance;
  const sinceEpoch = () => timeOrigin + performance.now();
  const { now = sinceEpoch } = host;
  return (id) => {
    switch (id) {
      case CLOCK.REALTIME:
        return inNanoseconds(now());
      case CLOCK.MONOTONIC:
        return process?.hrtime?.bigint?.() ?? inNanoseconds(sinceEpoch());
      case CLOCK.PROCESS_CPUTIME:
        return process?.cpuUsage && used(process.cpuUsage());
      case CLOCK.THREAD_CPUTIME:
        // Node before 23.9 tells that of the process alone.
        return process?.threadCpuUsage ? used(process.threadCpuUsage()) : process?.cpuUsage && used(process.cpuUsage());
      default:
        return undefined;
    }
  };
}

/** The error for a clock that there is not. */
const missing = (id: number): number => (id >>> 0 <= CLOCK.THREAD_CPUTIME ? ERRNO.ENOTSUP : ERRNO.EINVAL);

export function makeClockCalls(program: Program, clock: (id: number) => bigint | undefined) {
  const { memory } = program;
  const put = (address: number, value: bigint): number => {
    if (!memory.has(address, 8)) return ERRNO.EFAULT;
    memory.view.setBigUint64(address, value, true);
    return 0;
  };
  return {
    clock_res_get(id: number, result: number): number {
      program.enter();
      return clock(id) === undefined ? missing(id) : put(result >>> 0, RESOLUTION);
    },
    clock_time_get(id: number, _precision: bigint, result: number): number {
      program.enter();
      const time = clock(id);
      return time === undefined ? missing(id) : put(result >>> 0, time);
    },
  };
}
