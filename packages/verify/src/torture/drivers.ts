/** The drivers of a torture run: each attachment registers objects of its own, which follow from numbers and shared words alone. */
import type { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import type { Driver, Vfs } from "../../../threadfs/dist/src/index.js";
import { aliasDriver, twinDriver } from "../workload/twin-driver.js";
import { ruleDriver } from "./rule-driver.js";
import { erasOf, type SharedState } from "./shared-state.js";

/** The drivers of the workloads. */
export const makeDrivers = (sharedState: SharedState): Driver[] => [
  ruleDriver(),
  aliasDriver(),
  twinDriver(erasOf(sharedState)),
];

/** Registers them with both attachments of a thread. */
export function registerDrivers(vfs: Vfs, arena: Attachment, sharedState: SharedState): void {
  for (const driver of makeDrivers(sharedState)) vfs.registerDriver(driver);
  for (const driver of makeDrivers(sharedState)) arena.drivers.register(driver, 0);
}
