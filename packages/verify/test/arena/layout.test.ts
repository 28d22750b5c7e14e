/**
 * The layout that the checkers know (packages/verify/src/arena/layout.ts) is the one of the core's sources: every constant of the same
 * name, every field of every class.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as L from "../../dist/arena/layout.js";
import { defined } from "../../dist/support/defined.js";

const FOLDERS = ["abi", "core"].map((name) => fileURLToPath(new URL(`../../../threadfs/${name}/`, import.meta.url)));
/** Numbers that the core has in its drawings only. */
const DRAWN = new Set(["CACHE_BYTES", "CACHE_SLOTS", "CONTEXT_BLOCKS", "NR_COUNTERS", "VERSION"]);
const BYTES: Record<string, number> = { u32: 4, i32: 4, u64: 8, i64: 8, f64: 8 };

const sources = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(folder, name), "utf8")),
);

/** Constants by name: the expressions that the sources give them. */
type Constants = Map<string, string[]>;

function constants(): Constants {
  const found: Constants = new Map();
  for (const source of sources) {
    for (const [, name = "", value = ""] of source.matchAll(/^(?:export )?const (\w+)(?:: \w+)? = ([^;]+);/gm)) {
      const expression = value.replace(/<\w+>|\b(?:shared|limits|SCRATCH)\./g, "").replace(/_(?=[0-9a-f])/gi, "");
      found.set(name, [...(found.get(name) ?? []), expression]);
    }
  }
  return found;
}

/** The operators, the weakest first. */
const LEVELS = [["|"], ["<<"], ["+", "-"], ["*", "/"]];
const OPERATORS: Record<string, (a: number, b: number) => number> = {
  "|": (a, b) => a | b,
  "<<": (a, b) => a << b,
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => Math.floor(a / b),
};

/** Value of an expression of numbers, names, parentheses, + - * / << and |. */
function evaluate(text: string, all: Constants): number {
  const tokens: string[] = text.match(/0x[0-9a-f]+|0o[0-7]+|\d+|[A-Za-z_]\w*|<<|[-+*/|()]/gi) ?? [];
  const next = () => defined(tokens.shift(), `more of ${text}`);
  const atom = (): number => {
    const token = next();
    if (token === "-") return -atom();
    if (token === "(") {
      const value = level(0);
      next();
      return value;
    }
    if (/^\d/.test(token)) return Number(token);
    return evaluate(defined(all.get(token)?.[0], `constant ${token} of ${text}`), all);
  };
  const level = (n: number): number => {
    const operators = LEVELS[n];
    if (operators === undefined) return atom();
    let value = level(n + 1);
    while (operators.includes(tokens[0] ?? "")) {
      const operator = next();
      value = defined(OPERATORS[operator], operator)(value, level(n + 1));
    }
    return value;
  };
  return level(0);
}

test("every constant of the layout is the core's", () => {
  const all = constants();
  let compared = 0;
  for (const [name, value] of Object.entries(L)) {
    if (typeof value !== "number" || DRAWN.has(name)) continue;
    for (const expression of defined(all.get(name), `constant ${name} in the core`))
      assert.equal(value >>> 0, evaluate(expression, all) >>> 0, name);
    assert.ok(value >= 2 ** 32 || value < 2 ** 32);
    compared++;
  }
  assert.ok(compared > 120, `${compared} constants`);
});

test("every field of every class has the offset that the core gives it", () => {
  for (const [name, fields] of Object.entries(L.CLASSES)) {
    const source = sources.find((text) => text.includes(`class ${name} {`));
    const pattern = new RegExp(`class ${name} \\{\\n((?: {2}\\w+: \\w+;\\n)+)`);
    const body = defined(source?.match(pattern)?.[1], `class ${name} in the core`);
    const found: Record<string, number> = {};
    let at = 0;
    for (const [, field = "", type = ""] of body.matchAll(/(\w+?)_?: (\w+);/g)) {
      const size = defined(BYTES[type], `size of ${type}`);
      at = Math.ceil(at / size) * size;
      found[field] = at;
      at += size;
    }
    assert.deepEqual(fields, found, name);
    const bytes = L.CACHES.find((cache) => cache.size >= at && cache.typed)?.size;
    assert.ok(bytes !== undefined && at <= 512, `${name} has ${at} bytes`);
  }
});
