/** Importing the library does nothing: no module starts work, listens or opens anything until it is called. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

const DIST = new URL("../../dist/", import.meta.url);

test("nothing happens when a module of the library is imported", async () => {
  const modules = readdirSync(DIST, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".js"));
  assert.ok(modules.length > 30, `${modules.length} modules`);
  const state = () => [process.exitCode, process.getActiveResourcesInfo().length, process.listenerCount("exit")];
  const before = state();
  for (const file of modules) await import(new URL(file, DIST).href);
  assert.deepEqual(state(), before);
});
