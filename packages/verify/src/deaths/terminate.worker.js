/** One worker of packages/verify/src/deaths/terminate.js: one that will die, or one that works on all the time. */
import { workerData } from "node:worker_threads";
import { goOn } from "./bystander.js";
import { die } from "./victim.js";

if (workerData.role === "mortal") await die(workerData);
else await goOn(workerData);
