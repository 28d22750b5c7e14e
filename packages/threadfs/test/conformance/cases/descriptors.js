/** Calls that take a descriptor: closed ones, numbers that never were one, things that are no number. */
import { Buffer } from "node:buffer";

const CALLS = {
  closeSync: (t, fd) => t.fs.closeSync(fd),
  fstatSync: (t, fd) => t.fs.fstatSync(fd),
  "fstatSync bigint": (t, fd) => t.fs.fstatSync(fd, { bigint: true }),
  readSync: (t, fd) => t.fs.readSync(fd, Buffer.alloc(4)),
  "writeSync text": (t, fd) => t.fs.writeSync(fd, "x"),
  "writeSync bytes": (t, fd) => t.fs.writeSync(fd, Buffer.from("x")),
  ftruncateSync: (t, fd) => t.fs.ftruncateSync(fd, 1),
  fchmodSync: (t, fd) => t.fs.fchmodSync(fd, 0o600),
  readFileSync: (t, fd) => t.fs.readFileSync(fd),
  "readFileSync utf8": (t, fd) => t.fs.readFileSync(fd, "utf8"),
  writeFileSync: (t, fd) => t.fs.writeFileSync(fd, "x"),
  appendFileSync: (t, fd) => t.fs.appendFileSync(fd, "x"),
};

/** No descriptor of the test process has these numbers. */
const NUMBERS = [9999, 2 ** 31 - 1];
const NOT_NUMBERS = [-1, -0.5, 1.5, 2 ** 31, "3", null, undefined, {}, [], true, NaN, Infinity, 3n];

/** These calls take paths too, and a path of another kind is another question. */
const TAKES_PATHS = new Set(["readFileSync", "readFileSync utf8", "writeFileSync", "appendFileSync"]);

const told = (value) => `${typeof value} ${typeof value === "bigint" ? value : JSON.stringify(value)}`;

export default Object.entries(CALLS).flatMap(([call, fn]) => [
  ...NUMBERS.map((fd) => ({ name: `${call} of ${fd}`, run: (t) => fn(t, fd) })),
  ...NOT_NUMBERS.filter((fd) => !TAKES_PATHS.has(call) || typeof fd === "object" || typeof fd === "boolean").map(
    (fd) => ({
      name: `${call} of ${Number.isNaN(fd) ? "NaN" : fd === Infinity ? "Infinity" : told(fd)}`,
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
