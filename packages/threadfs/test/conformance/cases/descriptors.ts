/** Calls that take a descriptor: closed ones, numbers that never were one, values that are no number. */
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

const cases: readonly Case[] = Object.entries(CALLS).flatMap(([call, fn]): Case[] => [
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

export default cases;
