/**
 * Calls that take a descriptor: closed ones, numbers that never were one, values that are no number; calls with several
 * buffers; and a temporary directory that removes itself.
 */
import { Buffer } from "node:buffer";
import type { Case, Tools } from "../support/case.js";

const CALLS: Readonly<Record<string, (t: Tools, fd: unknown) => unknown>> = {
  closeSync: (t, fd) => t.unchecked.closeSync(fd),
  fstatSync: (t, fd) => t.unchecked.fstatSync(fd),
  "fstatSync bigint": (t, fd) => t.unchecked.fstatSync(fd, { bigint: true }),
  readSync: (t, fd) => t.unchecked.readSync(fd, Buffer.alloc(4)),
  "writeSync text": (t, fd) => t.unchecked.writeSync(fd, "x"),
  "writeSync bytes": (t, fd) => t.unchecked.writeSync(fd, Buffer.from("x")),
  ftruncateSync: (t, fd) => t.unchecked.ftruncateSync(fd, 1),
  fchmodSync: (t, fd) => t.unchecked.fchmodSync(fd, 0o600),
  readFileSync: (t, fd) => t.unchecked.readFileSync(fd),
  "readFileSync utf8": (t, fd) => t.unchecked.readFileSync(fd, "utf8"),
  writeFileSync: (t, fd) => t.unchecked.writeFileSync(fd, "x"),
  appendFileSync: (t, fd) => t.unchecked.appendFileSync(fd, "x"),
};

/** No descriptor of the test process has these numbers. */
const NUMBERS = [9999, 2 ** 31 - 1];
const NOT_NUMBERS = [-1, -0.5, 1.5, 2 ** 31, "3", null, undefined, {}, [], true, NaN, Infinity, 3n];

/** These calls take paths too, and a path of another type is another question. */
const TAKES_PATHS = new Set(["readFileSync", "readFileSync utf8", "writeFileSync", "appendFileSync"]);

const shown = (value: unknown) => `${typeof value} ${typeof value === "bigint" ? value : JSON.stringify(value)}`;

const calls: Case[] = Object.entries(CALLS).flatMap(([call, fn]): Case[] => [
  ...NUMBERS.map((fd): Case => ({ name: `${call} of ${fd}`, run: (t) => fn(t, fd) })),
  ...NOT_NUMBERS.filter((fd) => !TAKES_PATHS.has(call) || typeof fd === "object" || typeof fd === "boolean").map(
    (fd): Case => ({
      name: `${call} of ${Number.isNaN(fd) ? "NaN" : fd === Infinity ? "Infinity" : shown(fd)}`,
      run: (t) => fn(t, fd),
    }),
  ),
  {
    name: `${call} after close`,
    setup: (t) => t.tree({ f: "hello" }),
    run: (t) => {
      const fd = t.fs.openSync(t.p("f"), "r+");
      t.fs.closeSync(fd);
      return fn(t, fd);
    },
  },
]);

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

const vectors: Case[] = [
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
        t.out(() => t.unchecked.readvSync(fd, [])),
        t.out(() => t.unchecked.writevSync(fd, [])),
      ]),
      opened(t, (fd) => [t.out(() => t.unchecked.readvSync(fd, [])), t.out(() => t.unchecked.writevSync(fd, []))]),
    ],
  },
  {
    // readv(2) of no bytes does not ask a directory, read(2) does, which libuv calls for a single buffer.
    name: "readv of no bytes, of a directory and of a file that is open for writing only",
    run: (t) => {
      t.fs.mkdirSync(t.p("d"));
      return [t.fs.openSync(t.p("d"), "r"), t.fs.openSync(t.p("f"), "w")].map((fd) => {
        const outcomes = [[0, 0], [0], [0, 1]].map((sizes) =>
          t.out(() =>
            t.unchecked.readvSync(
              fd,
              sizes.map((size) => Buffer.alloc(size)),
            ),
          ),
        );
        t.fs.closeSync(fd);
        return outcomes;
      });
    },
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

const cases: readonly Case[] = [...calls, ...vectors];

export default cases;
