/** `readv`, `writev` and `mkdtempDisposable`. */
import { Buffer } from "node:buffer";
import type { Case, Tools } from "../support/case.js";

const setup = (t: Tools) => t.tree({ f: "abcdefgh" });
const POSITIONS = [undefined, null, 0, 3, 100, -1, -2, 1.5, "x", 1n];
const WRONG = [undefined, null, "x", 5, {}, [1], [Buffer.alloc(1), "x"]];

function opened(t: Tools, work: (fd: number) => unknown): unknown {
  const fd = t.fs.openSync(t.p("f"), "r+");
  try {
    return work(fd);
  } finally {
    t.fs.closeSync(fd);
  }
}

const cases: readonly Case[] = [
  ...POSITIONS.map(
    (position): Case => ({
      name: `readv at ${typeof position} ${position}`,
      setup,
      run: (t) =>
        opened(t, (fd) => {
          const buffers = [Buffer.alloc(3), new Uint8Array(2), new DataView(new ArrayBuffer(5)), Buffer.alloc(0)];
          const got = [t.out(() => t.unchecked.readvSync(fd, buffers, position))];
          return [
            got,
            buffers.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
          ];
        }),
    }),
  ),
  ...POSITIONS.map(
    (position): Case => ({
      name: `writev at ${typeof position} ${position}`,
      setup,
      run: (t) =>
        opened(t, (fd) =>
          t.unchecked.writevSync(fd, [Buffer.from("XY"), new Uint8Array([65]), Buffer.alloc(0)], position),
        ),
    }),
  ),
  ...WRONG.map(
    (buffers, i): Case => ({
      name: `readv and writev of wrong buffers ${i}`,
      setup,
      run: (t) =>
        opened(t, (fd) => [
          t.out(() => t.unchecked.readvSync(fd, buffers)),
          t.out(() => t.unchecked.writevSync(fd, buffers)),
          t.out(() => t.unchecked.readvSync("x", buffers)),
        ]),
    }),
  ),
  {
    name: "readv and writev of wrong descriptors, and without buffers",
    setup,
    run: (t) => [
      ...[-1, 99999, "x", 1.5, null].flatMap((fd) => [
        t.out(() => t.unchecked.readvSync(fd, [Buffer.alloc(1)])),
        t.out(() => t.unchecked.writevSync(fd, [Buffer.alloc(1)])),
        t.out(() => t.unchecked.writevSync(fd, [])),
      ]),
      opened(t, (fd) => [t.out(() => t.unchecked.readvSync(fd, [])), t.out(() => t.unchecked.writevSync(fd, []))]),
    ],
  },
  {
    name: "mkdtempDisposable removes its directory and everything in it",
    run: (t) => {
      type Made = { path: string; remove(): void };
      const make = (t.unchecked as unknown as Record<string, (...args: unknown[]) => Made>).mkdtempDisposableSync;
      const made = make?.(t.p("t-"));
      t.fs.mkdirSync(`${made?.path}/below`);
      const there = t.fs.existsSync(`${made?.path}`);
      made?.remove();
      return [
        made?.path.slice(0, -6),
        Object.keys(made ?? {}),
        [there, t.fs.existsSync(`${made?.path}`)],
        t.out(() => made?.remove()),
        t.out(() => make?.(t.p("nope/x"))),
        t.out(() => make?.(5)),
      ];
    },
  },
];

export default cases;
