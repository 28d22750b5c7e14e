/** Compiled files without a source. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { prune } from "../dist/prune-outputs.js";

test("a compiled file is deleted when its source is gone, and no other file", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "threadfs-prune-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const [outputs, sources] = [join(directory, "dist"), join(directory, "src")];
  for (const folder of [join(outputs, "in"), join(sources, "in")]) mkdirSync(folder, { recursive: true });
  for (const file of ["kept.ts", "in/kept.worker.ts"]) writeFileSync(join(sources, file), "");
  const compiled = ["kept", "in/kept.worker", "gone", "in/gone"].flatMap((name) => [`${name}.js`, `${name}.d.ts`]);
  mkdirSync(join(outputs, "types"));
  for (const file of [...compiled, "gone.js.map", "types/of-another-source.d.ts", "core.wasm"])
    writeFileSync(join(outputs, file), "");
  assert.deepEqual(
    prune(outputs, sources).sort(),
    ["gone.d.ts", "gone.js", "gone.js.map", "in/gone.d.ts", "in/gone.js"].map((file) => join(outputs, file)),
  );
  assert.deepEqual(prune(outputs, join(directory, "none")), [], "what was not compiled from a folder stays");
  assert.deepEqual(readdirSync(outputs).sort(), ["core.wasm", "in", "kept.d.ts", "kept.js", "types"]);
});
