/** The example of the guide to drivers runs as it stands there, over two threads. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { defined } from "../../../cli/dist/support/defined.js";

const GUIDE = new URL("../../../../docs/drivers.md", import.meta.url);
const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));

test("the example in docs/drivers.md prints what stands there", (t) => {
  const text = readFileSync(GUIDE, "utf8");
  const folder = mkdtempSync(join(tmpdir(), "threadfs-guide-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(PACKAGE, join(folder, "node_modules/threadfs"));
  const files = [...text.matchAll(/^`([\w.]+\.mjs)`:\n\n```js\n(.*?)^```$/gms)];
  assert.deepEqual(
    files.map(([, name]) => name),
    ["driver.mjs", "worker.mjs", "main.mjs"],
  );
  for (const [, name, code] of files) writeFileSync(join(folder, defined(name, "name")), defined(code, "code"));
  const [, printed] = defined(/^It prints:\n\n```\n(.*?)^```$/ms.exec(text) ?? undefined, "output");
  assert.equal(execFileSync(process.execPath, ["main.mjs"], { cwd: folder, encoding: "utf8" }), printed);
});
