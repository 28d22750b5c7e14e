/** Addresses, sizes and fields of the core's memory, read from the core's source, so that no copy can become outdated. */
import { readFileSync } from "node:fs";
import * as abi from "../../../threadfs/dist/abi/abi.js";
import { defined } from "../support/defined.js";

const source = (path: string): string =>
  readFileSync(new URL(`../../../threadfs/core/${path}`, import.meta.url), "utf8");

/** Numbers that the core shares with TypeScript, by name. */
const SHARED: Record<string, unknown> = abi;

/** Numbers of a source file by name: `const NAME: type = number;`. */
function numbersIn(path: string, types: string): Map<string, number> {
  const pattern = new RegExp(
    `^(?:export )?const (\\w+): (?:${types}) = (?:(0x[0-9a-f]+|\\d+)|(?:shared|limits)\\.(\\w+));`,
    "gm",
  );
  const found = [...source(path).matchAll(pattern)];
  return new Map(found.map(([, name = "", value, shared = ""]) => [name, Number(value ?? SHARED[shared])]));
}

const ADDRESSES = new Map([...numbersIn("mem/layout.ts", "usize"), ...numbersIn("vfs/layout.ts", "usize")]);
const NUMBERS = new Map([
  ...numbersIn("mem/layout.ts", "u32"),
  ...numbersIn("vfs/layout.ts", "u32"),
  ...numbersIn("mem/smr/smr.ts", "u32"),
]);

function get(map: Map<string, number>, name: string): number {
  const value = map.get(name);
  if (value === undefined) throw new Error(`addresses: the core has no ${name}`);
  return value;
}

/** An address in the fixed part of the arena. @throws Error when the core has none of this name */
export const addressOf = (name: string): number => get(ADDRESSES, name);
/** A size or an offset. @throws Error when the core has none of this name */
export const numberOf = (name: string): number => get(NUMBERS, name);

/** Everything in the fixed part that has a name, by address. */
export const LAYOUT = [...ADDRESSES]
  .map(([name, address]) => ({ name, address }))
  .sort((a, b) => a.address - b.address);

const SIZE_OF: Record<string, number> = { u32: 4, i32: 4, f32: 4, u64: 8, i64: 8, f64: 8 };

/** A field: its offset and its name. */
export type Field = [offset: number, name: string];

/** Fields of an unmanaged class in their order: [offset, name without a trailing "_"]. */
export function fieldsOf(path: string, name: string): Field[] {
  const text = source(path);
  const from = text.indexOf(`export class ${name} {`);
  if (from < 0) throw new Error(`addresses: core/${path} has no class ${name}`);
  const fields: Field[] = [];
  let offset = 0;
  for (const line of text.slice(from).split("\n").slice(1)) {
    const [, field, type = ""] = /^ {2}(\w+): (\w+);/.exec(line) ?? [];
    if (field === undefined) break;
    const size = defined(SIZE_OF[type], `size of ${type}`);
    offset = (offset + size - 1) & -size;
    fields.push([offset, field.replace(/_$/, "")]);
    offset += size;
  }
  return fields;
}
