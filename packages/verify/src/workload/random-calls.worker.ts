/** A thread that does random work on a tree concurrently with other threads, and detaches. */
import { workerData } from "node:worker_threads";
import { serveRequests } from "../../../cli/dist/support/worker-pool.js";
import { attachVfs, type VfsHandle } from "../../../threadfs/dist/src/index.js";
import { defined, stackOf } from "../support/defined.js";
import { immutableObjectDriver } from "./object-driver.js";
import { RandomCalls } from "./random-calls.js";
import { twinDrivers } from "./twin-driver.js";

/** What the thread is started with. */
export interface RandomCallsData {
  handle: VfsHandle;
  /** The tree has the drivers whose directories have several names, with these eras. */
  eras?: Int32Array | undefined;
}

/** "prepare" returns when the thread can begin; "run" makes that many calls and detaches. */
export type RandomCallsRequest = { task: "prepare"; seed: number } | { task: "run"; steps: number };

const { handle, eras } = workerData as RandomCallsData;
const vfs = await attachVfs(handle);
const drivers = eras === undefined ? [immutableObjectDriver()] : twinDrivers(eras);
for (const driver of drivers) vfs.registerDriver(driver);
let calls: RandomCalls | undefined;

function run(steps: number): void {
  const prepared = defined(calls, "prepared calls");
  try {
    prepared.run(steps);
    prepared.close();
    vfs.close();
  } catch (error) {
    throw new Error(`${stackOf(error)}\n${prepared.trace.slice(-20).join("\n")}`);
  }
}

serveRequests<RandomCallsRequest>((request) => {
  if (request.task === "run") return run(request.steps);
  calls = new RandomCalls(vfs, request.seed, { drivers: drivers.map(({ name }) => name) });
  if (eras !== undefined) calls.noteTwins();
  return undefined;
});
