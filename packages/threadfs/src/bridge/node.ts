/** The only file of the library that imports Node's modules; loaded only in Node. */
import { readFile } from "node:fs/promises";

export { threadId } from "node:worker_threads";

/** The bytes of a file. */
export async function readCore(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  return readFile(url);
}
