/** One worker of packages/verify/src/deaths/terminate.js: one that will die, or one that works on all the time. */
import { workerData } from "node:worker_threads";
import { runBystander } from "./bystander.js";
import { runVictim } from "./victim.js";

if (workerData.role === "victim") await runVictim(workerData);
else await runBystander(workerData);
