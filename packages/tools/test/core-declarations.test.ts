import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { classesOf, compile, constantsOf, exportsOf } from "../dist/core-declarations.js";

const SOURCES = {
  "core/asconfig.json": JSON.stringify({
    targets: { declarations: { optimizeLevel: 0 } },
    options: { runtime: "stub", importMemory: true, sharedMemory: true, maximumMemory: 65536, enable: ["threads"] },
  }),
  "core/sys/index.ts": `/** What the core exports. */
export { second } from "./calls";
`,
  "core/sys/calls.ts": `import { Pair, STEP } from "../pair";

/** The second word. */
export function second(at: u32, times: i32): i32 {
  return changetype<Pair>(<usize>at).second * times * STEP;
}
export function notInTheTable(): void {}
`,
  "core/pair.ts": `export const STEP: i32 = 3;
export const HIGH: u32 = 0x80000000 + STEP;
export const ABOVE: usize = 16 << 2;
export let changes: u32 = 7;

@unmanaged
export class Pair {
  first: u32;
  wide_: u64;
  second: i32;
  get double(): u32 {
    return this.first * 2;
  }
}
`,
};

async function compileSources(sources: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), "declarations-"));
  try {
    for (const [path, text] of Object.entries(sources)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return await compile(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the system calls have the names, parameters and comments of the exported functions", async () => {
  const { program } = await compileSources(SOURCES);
  assert.equal(
    exportsOf(program),
    `/** What the core exports. */
export interface CoreExports {
  /** The second word. */
  second(at: number, times: number): number;
}
`,
  );
});

test("constants have the values that the compiler gives them, and variables are left out", async () => {
  const { program, module } = await compileSources(SOURCES);
  assert.deepEqual(Object.fromEntries(constantsOf(program, module)), { STEP: 3, HIGH: 0x80000003, ABOVE: 64 });
});

test("fields have the offsets that the compiler gives them, and accessors are left out", async () => {
  const { program } = await compileSources(SOURCES);
  assert.deepEqual(
    [...classesOf(program)].map(([name, fields]) => [name, Object.fromEntries(fields)]),
    [["Pair", { first: 0, wide: 8, second: 16 }]],
  );
});

test("a core that does not compile is an error", async () => {
  await assert.rejects(compileSources({ ...SOURCES, "core/pair.ts": "export const STEP: i32 = missing;" }), /missing/);
});
