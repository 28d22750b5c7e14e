/** Long work that lets its thread do other things too. */
import { inLaterTurn } from "../node-fs/forms/later.js";

/** Settles in a later turn of the event loop. */
export function laterTurn(): Promise<void> {
  return new Promise(inLaterTurn);
}
