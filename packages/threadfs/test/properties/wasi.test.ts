/**
 * Random calls of a program of WASI, with addresses, lengths, descriptors and flags by chance: each returns an error of WASI or exits, what is outside of the program's directory stays as it
 * is, and no file stays open.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createVfs } from "../../dist/src/index.js";
import { ERRNO, EVENT_SIZE, SUBSCRIPTION_SIZE } from "../../dist/src/wasi/preview1.js";
import { createWasi, WasiExit } from "../../dist/src/wasi.js";
import { check } from "./support.js";

/** The parameters of each import: an address, a count or length, a descriptor, flags, a number of 64 bits, a string (address and length). */
const PARAMETERS: Readonly<Record<string, string>> = {
  ...{ args_get: "aa", args_sizes_get: "aa", environ_get: "aa", environ_sizes_get: "aa" },
  ...{ clock_res_get: "ca", clock_time_get: "c6a", poll_oneoff: "aaca", proc_exit: "c", proc_raise: "c" },
  ...{ random_get: "ac", sched_yield: "", fd_advise: "d66c", fd_allocate: "d66", fd_close: "d", fd_datasync: "d" },
  ...{ fd_fdstat_get: "da", fd_fdstat_set_flags: "dc", fd_fdstat_set_rights: "d66", fd_filestat_get: "da" },
  ...{ fd_filestat_set_size: "d6", fd_filestat_set_times: "d66c", fd_pread: "dac6a", fd_prestat_dir_name: "dac" },
  ...{ fd_prestat_get: "da", fd_pwrite: "dac6a", fd_read: "daca", fd_readdir: "dac6a", fd_renumber: "dd" },
  ...{ fd_seek: "d6ca", fd_sync: "d", fd_tell: "da", fd_write: "daca", path_create_directory: "ds" },
  ...{ path_filestat_get: "dcsa", path_filestat_set_times: "dcs66c", path_link: "dcsds", path_open: "dcsc66ca" },
  ...{ path_readlink: "dsaca", path_remove_directory: "ds", path_rename: "dsds", path_symlink: "sds" },
  ...{ path_unlink_file: "ds", sock_accept: "dca", sock_recv: "dacaca", sock_send: "dacca", sock_shutdown: "dc" },
};
const NAMES = Object.keys(PARAMETERS);
const MEMORY = 65_536;
const PATHS = [
  "f",
  "d",
  "d/f",
  "up",
  "up/secret",
  "/secret",
  "..",
  ".",
  "",
  "new",
  "d/new",
  "f/",
  "x\0",
  "n".repeat(300),
];
/** Where the paths are. */
const PATHS_AT = 4096;
const NUMBERS = new Set<number>([...Object.values(ERRNO), ERRNO.SUCCESS]);

const address = fc.oneof(
  fc.integer({ min: 0, max: MEMORY - 1 }),
  fc.integer({ min: MEMORY - 200, max: MEMORY + 8 }),
  fc.constantFrom(-1, 0x7fff_ffff, -0x8000_0000),
);
const count = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(-1, 1025, 4096, MEMORY, 0x7fff_ffff));
const descriptor = fc.oneof(
  { arbitrary: fc.constant(3), weight: 3 },
  { arbitrary: fc.integer({ min: 0, max: 9 }), weight: 2 },
  { arbitrary: fc.constantFrom(-1, 16_384, 0x7fff_ffff), weight: 1 },
);
const long = fc.oneof(
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  fc.bigInt({ min: 0n, max: 70n }),
  fc.constant((1n << 28n) - 1n),
);
const path = fc.oneof(
  {
    arbitrary: fc
      .integer({ min: 0, max: PATHS.length - 1 })
      .map((n) => [PATHS_AT + 512 * n, PATHS[n]?.length ?? 0] as [number, number]),
    weight: 3,
  },
  { arbitrary: fc.tuple(address, count), weight: 1 },
);
const KINDS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  a: address,
  c: count,
  d: descriptor,
  6: long,
  s: path,
};

const call = fc.constantFrom(...NAMES).chain((name) => {
  const kinds = [...(PARAMETERS[name] ?? "")].map((kind) => KINDS[kind] as fc.Arbitrary<unknown>);
  return fc.tuple(...kinds).map((args) => ({ name, args: args.flat() as (number | bigint)[] }));
});

/** Timeouts of a poll become 0: it ends. */
function shorten(memory: WebAssembly.Memory, [from = 0, , subscriptions = 0]: readonly (number | bigint)[]): void {
  const view = new DataView(memory.buffer);
  const first = Number(from) >>> 0;
  const all = Math.min(Number(subscriptions) >>> 0, Math.floor(MEMORY / EVENT_SIZE));
  for (let n = 0; n < all; n++) {
    const at = first + n * SUBSCRIPTION_SIZE + 24;
    if (at + 8 <= MEMORY) view.setBigUint64(at, 0n, true);
  }
}

// Taken out: the check of an address in fd_filestat_get, or the mode in which the paths of beneath() stay below their descriptors.
test("whatever a program passes, a call returns an error of WASI", async (t) => {
  const property = fc.asyncProperty(
    fc.array(call, { minLength: 1, maxLength: 60 }),
    fc.integer(),
    async (calls, seed) => {
      const vfs = await createVfs({ maxBytes: 4 << 20 });
      vfs.fs.mkdirSync("/box/d", { recursive: true });
      vfs.fs.writeFileSync("/box/f", "0123456789");
      vfs.fs.writeFileSync("/box/d/f", "text");
      vfs.fs.symlinkSync("..", "/box/up");
      vfs.fs.writeFileSync("/secret", "secret");
      const ignored = { stdin: "ignore", stdout: "ignore", stderr: "ignore" } as const;
      const wasi = createWasi(vfs, { args: ["prog"], env: { A: "b" }, preopens: { "/": "/box" }, ...ignored });
      const memory = new WebAssembly.Memory({ initial: 1 });
      wasi.bindMemory(memory);
      const bytes = new Uint8Array(memory.buffer);
      // Numbers that are descriptors, types and addresses now and then.
      for (let at = 0, x = seed; at < MEMORY; at++) {
        x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
        bytes[at] = x & 0x4000_0000 ? 0 : (x >>> 16) & 7;
      }
      for (const [n, text] of PATHS.entries()) bytes.set(Buffer.from(text), PATHS_AT + 512 * n);
      const imports = wasi.getImportObject().wasi_snapshot_preview1 as Record<string, (...args: unknown[]) => number>;
      assert.deepEqual(Object.keys(imports).sort(), NAMES.sort());
      try {
        for (const { name, args } of calls) {
          if (name === "poll_oneoff") shorten(memory, args);
          assert.ok(NUMBERS.has(imports[name]?.(...args) as number), name);
        }
      } catch (error) {
        if (!(error instanceof WasiExit)) throw error;
      }
      wasi.close();
      assert.equal(vfs.counters().openFiles, 0);
      assert.deepEqual(vfs.fs.readdirSync("/").sort(), ["box", "secret"]);
      assert.equal(vfs.fs.readFileSync("/secret", "utf8"), "secret");
      vfs.close();
    },
  );
  await check(t, property, 300);
});
