import { attachVfs } from "threadfs";
import { inject, vi } from "vitest";

// Runs in each worker before its test file.
const { fs } = await attachVfs(inject("tree"));

vi.mock("node:fs", () => ({ ...fs, default: fs }));
vi.mock("node:fs/promises", () => ({ ...fs.promises, default: fs.promises }));
