/**
 * The checkers' knowledge of the layout (packages/verify/src/arena/layout.js) against the core's sources: every constant of the same name, every
 * field of every class.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as L from "../../dist/arena/layout.js";

const FOLDERS = ["abi", "core"].map((name) => fileURLToPath(new URL(`../../../threadfs/${name}/`, import.meta.url)));
/** Numbers that the core has in its drawings only. */
const DRAWN = new Set(["CACHE_BYTES", "CACHE_SLOTS", "CONTEXT_BLOCKS", "NR_COUNTERS", "VERSION"]);
const BYTES = { u32: 4, i32: 4, u64: 8, i64: 8, f64: 8 };

const sources = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(folder, name), "utf8")),
);

/** Constants by name: the expressions they are given in the sources. */
function constants() {
  const found = new Map();
  for (const source of sources) {
    for (const [, name, value] of source.matchAll(/^(?:export )?const (\w+)(?:: \w+)? = ([^;]+);/gm)) {
      found.set(name, [
        ...(found.get(name) ?? []),
        value.replace(/<\w+>|\b(?:shared|limits|SCRATCH)\./g, "").replace(/_(?=[0-9a-f])/gi, ""),
      ]);
    }
  }
  return found;
}

/** Value of an expression of numbers, names, brackets, + - * / << and |. */
function evaluate(text, all) {
  const tokens = text.match(/0x[0-9a-f]+|0o[0-7]+|\d+|[A-Za-z_]\w*|<<|[-+*/|()]/gi);
  const LEVELS = [["|"], ["<<"], ["+", "-"], ["*", "/"]];
  const apply = {
    "|": (a, b) => a | b,
    "<<": (a, b) => a << b,
    "+": (a, b) => a + b,
    "-": (a, b) => a - b,
    "*": (a, b) => a * b,
    "/": (a, b) => Math.floor(a / b),
  };
  const atom = () => {
    const token = tokens.shift();
    if (token === "-") return -atom();
    if (token === "(") {
      const value = level(0);
      tokens.shift();
      return value;
    }
    if (/^\d/.test(token)) return Number(token);
    assert.ok(all.has(token), `${token} in ${text}`);
    return evaluate(all.get(token)[0], all);
  };
  const level = (n) => {
    if (n === LEVELS.length) return atom();
    let value = level(n + 1);
    while (LEVELS[n].includes(tokens[0])) {
      const operator = tokens.shift();
      value = apply[operator](value, level(n + 1));
    }
    return value;
  };
  return level(0);
}

test("every constant is the core's", () => {
  const all = constants();
  let compared = 0;
  for (const [name, value] of Object.entries(L)) {
    if (typeof value !== "number" || DRAWN.has(name)) continue;
    assert.ok(all.has(name), `the core has no constant ${name}`);
    for (const expression of all.get(name)) assert.equal(value >>> 0, evaluate(expression, all) >>> 0, name);
    assert.ok(value >= 2 ** 32 || value < 2 ** 32);
    compared++;
  }
  assert.ok(compared > 120, `${compared} constants`);
});

test("every field of every class is where the core has it", () => {
  for (const [name, fields] of Object.entries(L.CLASSES)) {
    const source = sources.find((text) => text.includes(`class ${name} {`));
    assert.ok(source, `the core has no class ${name}`);
    const [, body] = source.match(new RegExp(`class ${name} \\{\\n((?: {2}\\w+: \\w+;\\n)+)`));
    const found = {};
    let at = 0;
    for (const [, field, type] of body.matchAll(/(\w+?)_?: (\w+);/g)) {
      const size = BYTES[type];
      at = Math.ceil(at / size) * size;
      found[field] = at;
      at += size;
    }
    assert.deepEqual(fields, found, name);
    const bytes = L.CACHES.find((cache) => cache.size >= at && cache.typed)?.size;
    assert.ok(bytes !== undefined && at <= 512, `${name} has ${at} bytes`);
  }
});
