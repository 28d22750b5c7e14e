/** The one file of the library that needs Node itself: loaded only where Node runs. */
import { readFile } from "node:fs/promises";

export { threadId } from "node:worker_threads";

/** The bytes of a file. */
export async function readCore(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  return readFile(url);
}
