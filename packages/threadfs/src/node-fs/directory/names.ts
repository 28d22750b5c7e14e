/** Names of entries out of the scratch area. */
import { nameOf } from "../bytes.js";

/** Characters that may stand for bytes that are no UTF-8, or that sort differently as UTF-16 and as UTF-8. */
const FROM_SURROGATES = /[\ud800-\uffff]/;

/** Bytes of a name, or a string of which they are the UTF-8 and which sorts as they do. */
export function rawName(shared: Uint8Array): string | Buffer {
  const text = nameOf(shared, "utf8");
  return typeof text === "string" && !FROM_SURROGATES.test(text) ? text : nameOf(shared, "buffer");
}
