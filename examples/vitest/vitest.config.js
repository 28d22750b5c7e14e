import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    pool: "threads", // a tree is memory, which the threads of one process share
    maxWorkers: 2,
    globalSetup: "./tree.setup.js",
    setupFiles: "./tree.mock.js",
  },
});
