const { readdir } = require("node:fs/promises");
const { isMainThread } = require("node:worker_threads");
const { loadConfig, saveConfig } = require("./config.cjs");

test("has the same tree in another thread", async () => {
  expect(await readdir("/fixtures")).toEqual(["config.json"]);
  saveConfig("/saved/two.json", { isMainThread });
  expect(loadConfig("/saved/three.json")).toBe(undefined);
});
