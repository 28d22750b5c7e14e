module.exports = {
  workerThreads: true, // a tree is memory, which the threads of one process share
  maxWorkers: 2,
  globalSetup: "./tree.setup.mjs",
  globalTeardown: "./tree.teardown.mjs",
  testEnvironment: "./tree.environment.mjs",
  setupFiles: ["./tree.mock.cjs"],
};
