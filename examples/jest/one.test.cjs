const { existsSync } = require("node:fs");
const { isMainThread } = require("node:worker_threads");
const { loadConfig, saveConfig } = require("./config.cjs");

test("loads what the main thread has written, and never meets the disk", () => {
  expect(loadConfig("/fixtures/config.json")).toEqual({ color: "green" });
  saveConfig("/saved/one.json", { isMainThread });
  expect(existsSync(process.execPath)).toBe(false);
});
