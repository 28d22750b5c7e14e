/** The example of docs/containment.md: hostile code in a worker. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const EXAMPLE = fileURLToPath(new URL("../../../../examples/sandbox/sandbox.mjs", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));

test("examples/sandbox: the tool that checks is tricked, and the context is not", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "threadfs-sandbox-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(PACKAGE, join(folder, "node_modules/threadfs"));
  copyFileSync(EXAMPLE, join(folder, "sandbox.mjs"));
  const printed = execFileSync(process.execPath, ["sandbox.mjs"], { cwd: folder, encoding: "utf8", timeout: 60_000 });
  assert.deepEqual(printed.trimEnd().split("\n"), [
    "checked, then used: the key",
    "../secret EXDEV",
    "trap/secret EXDEV",
    "dir/../../secret EXDEV",
    "link EXDEV",
    "absolute EXDEV",
    "dir/secret: my own",
  ]);
});
