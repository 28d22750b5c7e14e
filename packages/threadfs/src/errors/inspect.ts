/**
 * Values as Node's `util.inspect` shows them in the messages of argument errors. In Node, Deno and Bun it is the host's own
 * function; elsewhere the common values look the same.
 */

type Inspect = (value: unknown, options?: { depth?: number }) => string;

/** The host's inspect. Looked up at each use, so that importing has no side effects. */
function hostInspect(): Inspect | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (id: string) => { inspect?: Inspect } | undefined };
  };
  return process?.getBuiltinModule?.("node:util")?.inspect;
}

const ESCAPES: Readonly<Record<string, string>> = { "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r" };

/** A string in quotes that it does not contain, with control characters escaped. */
function quote(text: string): string {
  const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : "`";
  let shown = "";
  for (const char of text) {
    const code = char.charCodeAt(0);
    if (char === "\\" || char === mark) shown += `\\${char}`;
    else if (code < 0x20 || code === 0x7f) {
      shown += ESCAPES[char] ?? `\\x${code.toString(16).padStart(2, "0").toUpperCase()}`;
    } else shown += char;
  }
  return mark + shown + mark;
}

/** The inspect of hosts that have none: one line, two levels deep. */
function ownInspect(value: unknown, depth: number): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "function") return `[Function${value.name ? `: ${value.name}` : " (anonymous)"}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) {
    if (depth < 0) return "[Array]";
    return value.length === 0 ? "[]" : `[ ${value.map((item) => ownInspect(item, depth - 1)).join(", ")} ]`;
  }
  const prototype = Object.getPrototypeOf(value);
  const name = prototype === null ? "[Object: null prototype]" : String(prototype.constructor?.name ?? "Object");
  const entries = Object.entries(value);
  if (depth < 0 && entries.length > 0) return name.startsWith("[") ? name : `[${name}]`;
  const fields = entries.map(([key, field]) => `${key}: ${ownInspect(field, depth - 1)}`).join(", ");
  return `${name === "Object" ? "" : `${name} `}${fields === "" ? "{}" : `{ ${fields} }`}`;
}

function isMemory(value: unknown): boolean {
  return value instanceof DataView || /^\[object (?:Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(value));
}

const DEPTH = 2;

/** A value as text. `depth`: levels of objects that are shown, -1 for the name of an object's class alone. */
export function inspect(value: unknown, depth = DEPTH): string {
  const ofHost = hostInspect();
  if (ofHost === undefined) return ownInspect(value, depth);
  const text = ofHost(value, { depth });
  // Node 26 has these members in brackets, earlier versions do not.
  return isMemory(value) ? text.replace(/(^ +|[{,] )(byteLength|byteOffset|buffer): /gm, "$1[$2]: ") : text;
}
