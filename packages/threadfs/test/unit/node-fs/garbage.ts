/**
 * Run by misses.test.ts, with --expose-gc and room for all garbage of a measurement: prints how many bytes a call leaves, by call and by the
 * depth of its path, as JSON.
 */
import { createVfs } from "../../../dist/src/index.js";

const CALLS = 20_000;
const DEPTHS = [2, 200];

const { gc } = globalThis as unknown as { gc(): void };
const vfs = await createVfs({ maxBytes: 1 << 26 });
const { fs } = vfs;

/** Bytes that a call leaves, on average. */
function bytesOf(call: () => unknown): number {
  const calls = () => {
    for (let n = 0; n < CALLS; n++) call();
  };
  // Compiled by the time it counts.
  calls();
  gc();
  const before = process.memoryUsage().heapUsed;
  calls();
  return (process.memoryUsage().heapUsed - before) / CALLS;
}

function caught(call: () => unknown): void {
  try {
    call();
  } catch {
    // A miss.
  }
}

const MISSES: Record<string, (path: string) => unknown> = {
  existsSync: (path) => fs.existsSync(path),
  statSync: (path) => fs.statSync(path, { throwIfNoEntry: false }),
  lstatSync: (path) => fs.lstatSync(path, { throwIfNoEntry: false }),
  "statSync of bigints": (path) => fs.statSync(path, { throwIfNoEntry: false, bigint: true }),
  accessSync: (path) => caught(() => fs.accessSync(path)),
};

const found: Record<string, number[]> = {};
for (const depth of DEPTHS) {
  const directory = Array.from({ length: depth }, (_, n) => `/d${n}`).join("");
  fs.mkdirSync(directory, { recursive: true });
  for (const [name, call] of Object.entries(MISSES)) {
    for (const [where, path] of [
      ["in its last name", `${directory}/none`],
      ["in its first name", `/none${directory}`],
    ] as const) {
      const key = `${name}, a miss ${where}`;
      found[key] = [...(found[key] ?? []), bytesOf(() => call(path))];
    }
  }
}
console.log(JSON.stringify(found));
vfs.close();
