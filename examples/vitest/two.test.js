import { readdirSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { expect, test } from "vitest";
import { loadConfig, saveConfig } from "./config.js";

test("has the same tree in another thread", async () => {
  expect(readdirSync("/fixtures")).toEqual(["config.json"]);
  await saveConfig("/saved/two.json", { isMainThread });
  await expect(loadConfig("/saved/three.json")).rejects.toThrow(
    "ENOENT: no such file or directory, open '/saved/three.json'",
  );
});
