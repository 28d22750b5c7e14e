import { existsSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { expect, test } from "vitest";
import { loadConfig, saveConfig } from "./config.js";

test("loads what the main thread has written, and never meets the disk", async () => {
  expect(await loadConfig("/fixtures/config.json")).toEqual({ color: "green" });
  await saveConfig("/saved/one.json", { isMainThread });
  expect(existsSync(process.execPath)).toBe(false);
});
