/**
 * Random calls on descriptors and on the names of the open files: files are unlinked, replaced, renamed, linked and
 * truncated under open descriptors, descriptors are closed and opened again.
 */
import { test } from "node:test";
import fc from "fast-check";
import { attempt, type Outcome } from "../conformance/support/outcome.js";
import type { Target } from "../conformance/support/targets.js";
import type { FsCalls } from "../support/fs-calls.js";
import { assertSame, check, useSides } from "./support.js";

/** Few descriptors, so that most calls meet an open one. */
type Descriptors = [number, number, number, number];

const name = fc.constantFrom("a", "b", "c", "a", "b", "link", "dir", "dir/a", "dir/b", "dangling", "nowhere/x");
const flags = fc.constantFrom("r", "r+", "r+", "w", "w+", "w+", "wx+", "a", "a+", "ax");
const size = fc.constantFrom(0, 1, 3, 100, 4095, 4096, 5000, 70_000);
const place = fc.constantFrom(null, null, 0, 2, 4096, 9000);

const command = fc.record({
  kind: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom("open", "open", "close") },
    { weight: 8, arbitrary: fc.constantFrom("read", "write", "write", "fstat", "ftruncate", "fchmod", "readAll") },
    { weight: 5, arbitrary: fc.constantFrom("unlink", "rename", "link", "truncate", "writeFile", "readFile", "stat") },
  ),
  slot: fc.constantFrom(0, 1, 2, 3),
  from: name,
  to: name,
  flags,
  size,
  place,
});

type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

const commands = fc.array(command, { minLength: 1, maxLength: 80, size: "max" });

const dataOf = (length: number) => Buffer.alloc(length, "0123456789abcdefghijklmnopqrstuvwxyz!");

/** A slot that is not open holds a number that no descriptor has. */
const CLOSED = 1_000_000;

type Call = (fs: FsCalls, at: (name: string) => string, fds: Descriptors, command: Command) => unknown;

const CALLS: Record<Command["kind"], Call> = {
  open(fs, at, fds, { slot, to, flags }) {
    if (fds[slot] !== CLOSED) fs.closeSync(fds[slot]);
    fds[slot] = CLOSED;
    fds[slot] = fs.openSync(at(to), flags);
    return "open";
  },
  close(fs, _at, fds, { slot }) {
    const fd = fds[slot];
    fds[slot] = CLOSED;
    fs.closeSync(fd);
  },
  read(fs, _at, fds, { slot, size, place }) {
    const buffer = Buffer.alloc(size);
    const count = fs.readSync(fds[slot], buffer, 0, size, place);
    return [count, buffer];
  },
  write: (fs, _at, fds, { slot, size, place }) => fs.writeSync(fds[slot], dataOf(size), 0, size, place),
  fstat: (fs, _at, fds, { slot }) => fs.fstatSync(fds[slot]),
  ftruncate: (fs, _at, fds, { slot, size }) => fs.ftruncateSync(fds[slot], size),
  fchmod: (fs, _at, fds, { slot, size }) => fs.fchmodSync(fds[slot], 0o600 | (size & 0o177)),
  readAll: (fs, _at, fds, { slot }) => fs.readFileSync(fds[slot]),
  unlink: (fs, at, _fds, { to }) => fs.unlinkSync(at(to)),
  rename: (fs, at, _fds, { from, to }) => fs.renameSync(at(from), at(to)),
  link: (fs, at, _fds, { from, to }) => fs.linkSync(at(from), at(to)),
  truncate: (fs, at, _fds, { to, size }) => fs.truncateSync(at(to), size),
  writeFile: (fs, at, _fds, { to, size }) => fs.writeFileSync(at(to), dataOf(size)),
  readFile: (fs, at, _fds, { to }) => fs.readFileSync(at(to)),
  stat: (fs, at, _fds, { to }) => fs.statSync(at(to)),
};

function play({ fs }: Target, dir: string, list: readonly Command[]): Outcome[] {
  const at = (name: string) => `${dir}/${name}`;
  const fds: Descriptors = [CLOSED, CLOSED, CLOSED, CLOSED];
  fs.mkdirSync(at("dir"));
  fs.writeFileSync(at("a"), "to begin with");
  fs.symlinkSync("a", at("link"));
  fs.symlinkSync("dir/b", at("dangling"));
  try {
    return list.map((one) => attempt(() => CALLS[one.kind](fs, at, fds, one), dir));
  } finally {
    for (const fd of fds) if (fd !== CLOSED) fs.closeSync(fd);
  }
}

const sides = useSides(import.meta.url, { play });

test("random calls on descriptors have the kernel's results", async (t) => {
  const property = fc.asyncProperty(commands, async (list) => {
    assertSame(await sides.inFresh("play", list), (n) => `command ${n}: ${JSON.stringify(list[n])}`);
  });
  await check(t, property, 150);
});
