/** What was compiled from the same sources is not compiled again. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Made, makeOnce } from "../dist/build-core.js";

test("outputs are made once, and again when an input or an output is not as it was", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "threadfs-build-core-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const at = (name: string) => join(directory, name);
  const made: Made = {
    inputs: [at("core"), at("tool")],
    outputs: [at("a.wasm"), at("b.ts")],
    stamp: at("build/core.json"),
  };
  mkdirSync(at("core/in"), { recursive: true });
  for (const name of ["core/one", "core/in/two", "tool"]) writeFileSync(at(name), name);
  const make = async () => {
    for (const path of made.outputs) writeFileSync(path, "made");
  };
  assert.equal(await makeOnce(made, make), true);
  assert.equal(await makeOnce(made, make), false, "nothing has changed");

  const changes: [string, () => void][] = [
    ["an input has changed", () => writeFileSync(at("core/in/two"), "2")],
    ["there is one more input", () => writeFileSync(at("core/in/three"), "")],
    ["an input is gone", () => rmSync(at("core/in/three"))],
    ["a single file has changed", () => writeFileSync(at("tool"), "other")],
    ["an output has changed", () => writeFileSync(at("a.wasm"), "edited")],
    ["an output is gone", () => rmSync(at("b.ts"))],
  ];
  for (const [what, change] of changes) {
    change();
    assert.equal(await makeOnce(made, make), true, what);
    assert.equal(readFileSync(at("a.wasm"), "utf8"), "made", what);
    assert.equal(await makeOnce(made, make), false, what);
  }
});

test("a build that fails, or makes too little, is made again", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "threadfs-build-core-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const [input, output] = [join(directory, "input"), join(directory, "output")];
  const made: Made = { inputs: [input], outputs: [output], stamp: join(directory, "stamp") };
  writeFileSync(input, "");
  await assert.rejects(
    makeOnce(made, async () => {
      writeFileSync(output, "half");
      throw new Error("the compiler's");
    }),
    /the compiler's/,
  );
  rmSync(output);
  await assert.rejects(
    makeOnce(made, async () => undefined),
    /one of these was not made/,
  );
  assert.equal(existsSync(made.stamp), false);
  assert.equal(await makeOnce(made, async () => writeFileSync(output, "")), true);
});
