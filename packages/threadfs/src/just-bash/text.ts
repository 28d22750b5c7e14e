/** Contents as a shell has them: strings in one of its encodings, on hosts with and without Buffers. */
import { invalidArgType, invalidArgValue } from "../errors/errors.js";
import type { EncodingOption } from "./types.js";

type Form = "utf8" | "latin1" | "base64" | "hex";

/** The encodings of just-bash, and which of these four each one is. */
const FORMS: ReadonlyMap<unknown, Form> = /* @__PURE__ */ new Map<unknown, Form>([
  [undefined, "utf8"],
  [null, "utf8"],
  ["utf8", "utf8"],
  ["utf-8", "utf8"],
  ["ascii", "utf8"],
  ["binary", "latin1"],
  ["latin1", "latin1"],
  ["base64", "base64"],
  ["hex", "hex"],
]);

/** Characters that are made at a time: an engine bounds the number of arguments of a call. */
const CHUNK = 8192;

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
function formOf(options: EncodingOption | null | undefined): Form {
  if (options != null && typeof options !== "string" && typeof options !== "object") {
    throw invalidArgType("options", "a string, or of type object", options);
  }
  const encoding = typeof options === "object" ? options?.encoding : options;
  const form = FORMS.get(encoding);
  if (form === undefined) throw invalidArgValue("encoding", encoding, "is no encoding of just-bash");
  return form;
}

function latin1Of(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return text;
}

function hexBytes(text: string): Uint8Array {
  if (text.length % 2 !== 0 || /[^\da-f]/i.test(text)) throw invalidArgValue("content", text, "is no hexadecimal text");
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

function base64Bytes(text: string): Uint8Array {
  let decoded: string;
  try {
    decoded = atob(text);
  } catch {
    throw invalidArgValue("content", text, "is no base64");
  }
  return Uint8Array.from(decoded, (char) => char.charCodeAt(0));
}

/**
 * The bytes of what is to be written. Of a character beyond U+00FF "binary" writes the low byte, as just-bash's own file systems do.
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
export function bytesOf(content: string | Uint8Array, options: EncodingOption | undefined): Uint8Array {
  const form = formOf(options);
  if (content instanceof Uint8Array) return content;
  if (typeof content !== "string") {
    throw invalidArgType("content", "of type string or an instance of Uint8Array", content);
  }
  if (form === "utf8") return encoder.encode(content);
  if (form === "latin1") {
    const bytes = new Uint8Array(content.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = content.charCodeAt(i);
    return bytes;
  }
  return form === "hex" ? hexBytes(content) : base64Bytes(content);
}

/** A decoder for what was asked for: the option is checked before the file is read. @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
export function textReader(options: EncodingOption | null | undefined): (bytes: Uint8Array) => string {
  const form = formOf(options);
  if (form === "utf8") return (bytes) => decoder.decode(bytes);
  if (form === "latin1") return latin1Of;
  if (form === "base64") return (bytes) => btoa(latin1Of(bytes));
  return (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
