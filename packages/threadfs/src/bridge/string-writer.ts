/** Writes strings to shared memory as UTF-8. */

const encoder = /* @__PURE__ */ new TextEncoder();

/** Writes a string's UTF-8 to the start of a view. Returns the bytes written, -1 if they do not fit. */
export type StringWriter = (text: string, into: Uint8Array) => number;

function writeShared(text: string, into: Uint8Array): number {
  const { read, written } = encoder.encodeInto(text, into);
  return read < text.length ? -1 : written;
}

function writeCopied(text: string, into: Uint8Array): number {
  // A string of n code units has n to 3n bytes, so more units than bytes cannot fit.
  if (text.length > into.length) return -1;
  const bytes = encoder.encode(text);
  if (bytes.length > into.length) return -1;
  into.set(bytes);
  return bytes.length;
}

/** Browsers may refuse views of shared memory in encodeInto. Tried once, on the view that will be used. */
export function chooseStringWriter(into: Uint8Array): StringWriter {
  try {
    return writeShared("/", into) === 1 ? writeShared : writeCopied;
  } catch {
    return writeCopied;
  }
}
