/** A worker of terminate.ts: a victim, which will die, or a bystander, which works all the time. */
import { workerData } from "node:worker_threads";
import { type BystanderData, runBystander } from "./bystander.js";
import { runVictim, type VictimData } from "./victim.js";

/** What a worker is started with. */
export type TerminateData = ({ role: "victim" } & VictimData) | ({ role: "bystander" } & BystanderData);

const data: TerminateData = workerData;
if (data.role === "victim") await runVictim(data);
else await runBystander(data);
