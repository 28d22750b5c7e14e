/** Addresses, sizes and fields of the core's memory, read from its source: a copy of them here would go stale. */
import { readFileSync } from "node:fs";

const source = (path) => readFileSync(new URL(`../../../threadfs/core/${path}`, import.meta.url), "utf8");

/** Numbers of a source file by name: `const NAME: type = number;`. */
function numbersIn(path, types) {
  const pattern = new RegExp(`^(?:export )?const (\\w+): (?:${types}) = (0x[0-9a-f]+|\\d+);`, "gm");
  return new Map([...source(path).matchAll(pattern)].map(([, name, value]) => [name, Number(value)]));
}

const ADDRESSES = numbersIn("mem/layout.ts", "usize");
const NUMBERS = new Map(
  [
    ["mem/layout.ts", "u32"],
    ["mem/smr/smr.ts", "u32"],
    ["mem/thread.ts", "i32"],
  ].flatMap(([path, type]) => [...numbersIn(path, type)]),
);

function get(map, name) {
  const value = map.get(name);
  if (value === undefined) throw new Error(`addresses: the core has no ${name}`);
  return value;
}

/** An address in the fixed part of the arena. @throws Error when the core has none of this name */
export const addressOf = (name) => get(ADDRESSES, name);
/** A size or an offset. @throws Error when the core has none of this name */
export const numberOf = (name) => get(NUMBERS, name);

/** Everything in the fixed part that has a name, by address. */
export const LAYOUT = [...ADDRESSES]
  .map(([name, address]) => ({ name, address }))
  .sort((a, b) => a.address - b.address);

const SIZE_OF = { u32: 4, i32: 4, f32: 4, u64: 8, i64: 8, f64: 8 };

/** Fields of an unmanaged class in their order: [offset, name without a trailing "_"]. */
export function fieldsOf(path, name) {
  const text = source(path);
  const from = text.indexOf(`export class ${name} {`);
  if (from < 0) throw new Error(`addresses: core/${path} has no class ${name}`);
  const fields = [];
  let offset = 0;
  for (const line of text.slice(from).split("\n").slice(1)) {
    const [, field, type] = /^ {2}(\w+): (\w+);/.exec(line) ?? [];
    if (field === undefined) break;
    offset = (offset + SIZE_OF[type] - 1) & -SIZE_OF[type];
    fields.push([offset, field.replace(/_$/, "")]);
    offset += SIZE_OF[type];
  }
  return fields;
}
