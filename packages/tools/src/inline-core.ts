/**
 * Writes the core as text, for the entry of the library that needs no file. build-core.ts runs it behind asc, in the folder of the library:
 *
 *   node ../tools/dist/inline-core.js
 *
 *   generated/core-inline.ts   dist/core.wasm in base64
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const base64 = readFileSync("dist/core.wasm", "base64");
mkdirSync("generated", { recursive: true });
// With its type, so that the declaration does not repeat the text.
writeFileSync(
  "generated/core-inline.ts",
  `// Written by packages/tools/src/inline-core.ts from core.wasm. Do not edit.\n\nexport const CORE_BASE64: string = "${base64}";\n`,
);
