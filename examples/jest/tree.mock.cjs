// Runs before each test file. A factory of jest.mock() may name globals only.
jest.mock("node:fs", () => globalThis.tree);
jest.mock("node:fs/promises", () => globalThis.tree.promises);
