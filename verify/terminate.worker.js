/** One worker of verify/terminate.js: one that will die, or one that works on all the time. */
import { workerData } from "node:worker_threads";
import { die } from "./lib/terminate/mortal.js";
import { goOn } from "./lib/terminate/steady.js";

if (workerData.role === "mortal") await die(workerData);
else await goOn(workerData);
