/**
 * The calls of WASMFS's Node backend, made as a program makes them. `npm run test:emcc` has programs that Emscripten has compiled.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { wasmfsImports } from "../../../dist/src/emscripten.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";

const EACCES = 2;
const EBADF = 8;
const EEXIST = 20;
const EFAULT = 21;
const EFBIG = 22;
const EISDIR = 31;
const ENAMETOOLONG = 37;
const ENOENT = 44;
const ENOTDIR = 54;
const ENOTEMPTY = 55;

const NAMES = [
  ...["readdir", "get_mode", "stat_size", "fstat_size", "insert_file", "insert_directory", "unlink", "rmdir"],
  ...["truncate", "ftruncate", "rename", "symlink", "readlink", "open", "close", "read", "write"],
];

/** Places in the program's memory: two strings, a number, bytes, and the stack. */
const [PATH, PATH2, NUMBER, BYTES, STACK] = [16, 8192, 16_384, 16_400, 60_000];
const MEMORY = 65_536;

type Numbers = (number | bigint)[];

/** A program: what it imports, and what it is told. */
class Program {
  readonly imports: Record<string, (...args: Numbers) => number> = {};
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
  readonly listed: [name: string, kind: number][] = [];
  stack = STACK;
  readonly exports = {
    memory: this.memory,
    emscripten_stack_get_current: () => this.stack,
    _emscripten_stack_alloc: (size: number) => {
      this.stack -= size;
      return this.stack;
    },
    _emscripten_stack_restore: (to: number) => {
      this.stack = to;
    },
    _wasmfs_node_record_dirent: (_vector: number, name: number, kind: number) => {
      this.listed.push([this.text(name), kind]);
    },
  };

  constructor() {
    for (const name of NAMES) this.imports[`_wasmfs_node_${name}`] = () => assert.fail("node:fs was called");
  }

  call(name: string, ...args: Numbers): number {
    return (this.imports[`_wasmfs_node_${name}`] as (...args: Numbers) => number)(...args);
  }

  put(text: string, at = PATH): number {
    const bytes = new Uint8Array(this.memory.buffer);
    bytes.set(new TextEncoder().encode(`${text}\0`), at);
    return at;
  }

  text(at: number): string {
    const bytes = new Uint8Array(this.memory.buffer);
    return Buffer.from(bytes.subarray(at, bytes.indexOf(0, at))).toString();
  }

  get number(): number {
    return new DataView(this.memory.buffer).getUint32(NUMBER, true);
  }

  open(path: string, mode: string): number {
    return this.call("open", this.put(path), this.put(mode, PATH2));
  }

  read(fd: number, length: number, position: number): string {
    assert.equal(this.call("read", fd, BYTES, length, position, NUMBER), 0);
    return Buffer.from(new Uint8Array(this.memory.buffer, BYTES, this.number)).toString();
  }
}

async function started(t: TestContext): Promise<{ vfs: Vfs; program: Program }> {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  t.after(() => vfs.close());
  const program = new Program();
  assert.equal(
    wasmfsImports({ env: program.imports, wasi: program.imports }, { vfs, instance: () => program }).env,
    program.imports,
  );
  return { vfs, program };
}

test("files are created once, opened as they are, read, written, measured and cut", async (t) => {
  const { vfs, program } = await started(t);
  assert.equal(program.call("insert_file", program.put("/file"), 0o640), 0);
  assert.equal(program.call("insert_file", program.put("/file"), 0o640), EEXIST);
  assert.equal(program.call("get_mode", PATH, NUMBER), 0);
  assert.equal(program.number, 0o100640);
  vfs.fs.writeFileSync("/file", "0123456789");
  // WASMFS empties a file itself: a version that opens with "w" has written to another part of it before.
  const [reader, writer] = [program.open("/file", "r"), program.open("/file", "w")];
  assert.equal(program.read(reader, 4, 2), "2345");
  program.put("ab", BYTES);
  assert.equal(program.call("write", writer, BYTES, 2, 1, NUMBER), 0);
  assert.equal(program.number, 2);
  assert.equal(vfs.fs.readFileSync("/file", "utf8"), "0ab3456789");
  assert.equal(program.call("read", writer, BYTES, 1, 0, NUMBER), EBADF);
  assert.equal(program.call("write", reader, BYTES, 1, 0, NUMBER), EBADF);
  const both = program.open("/file", "r+");
  assert.equal(program.call("write", both, BYTES, 1, 12, NUMBER), 0);
  assert.equal(program.read(both, 100, 8), "89\0\0a");
  assert.equal(program.call("stat_size", program.put("/file"), NUMBER), 0);
  assert.equal(program.number, 13);
  assert.equal(program.call("ftruncate", both, 7n), 0);
  assert.equal(program.call("fstat_size", both, NUMBER), 0);
  assert.equal(program.number, 7);
  assert.equal(program.call("truncate", program.put("/file"), 3, 0), 0);
  assert.equal(vfs.fs.readFileSync("/file", "utf8"), "0ab");
  for (const fd of [reader, writer, both]) assert.equal(program.call("close", fd), 0);
  assert.equal(program.call("close", both), EBADF);
  assert.equal(vfs.counters().openFiles, 0);
});

test("an open returns a negative error, other calls a positive one", async (t) => {
  const { vfs, program } = await started(t);
  assert.equal(program.open("/none", "r"), -ENOENT);
  vfs.fs.mkdirSync("/d");
  assert.equal(program.open("/d", "r+"), -EISDIR);
  for (const call of ["get_mode", "stat_size"]) assert.equal(program.call(call, program.put("/none"), NUMBER), ENOENT);
  assert.equal(program.call("truncate", PATH, 0n), ENOENT);
  assert.equal(program.call("fstat_size", 99, NUMBER), EBADF);
  assert.equal(program.call("readdir", PATH, 0), ENOENT);
  assert.equal(program.call("rename", PATH, program.put("/d", PATH2)), ENOENT);
  assert.equal(program.call("insert_directory", program.put(`/${"n".repeat(256)}`), 0o777), ENAMETOOLONG);
  assert.equal(program.call("insert_directory", program.put(`/${"n/".repeat(2200)}`), 0o777), ENAMETOOLONG);
  vfs.fs.writeFileSync("/f", "");
  assert.equal(program.call("insert_file", program.put("/f/x"), 0o666), ENOTDIR);
  const fd = program.open("/f", "r+");
  for (const call of ["read", "write"]) {
    assert.equal(program.call(call, fd, MEMORY - 4, 8, 0, NUMBER), EFAULT);
    assert.equal(program.call(call, fd, BYTES, -1, 0, NUMBER), EFAULT);
  }
  assert.equal(program.call("write", fd, BYTES, 8, -4, NUMBER), EFBIG);
  // Positions of 2 GiB and more are negative numbers.
  assert.equal(program.read(fd, 8, -4), "");
});

test("names are removed, and what is gone already is removed for WASMFS too", async (t) => {
  const { vfs, program } = await started(t);
  assert.equal(program.call("insert_directory", program.put("/d"), 0o750), 0);
  assert.equal(vfs.fs.statSync("/d").mode, 0o40750);
  assert.equal(program.call("symlink", program.put("../target"), program.put("/d/link", PATH2)), 0);
  assert.equal(program.call("rename", program.put("/d/link"), program.put("/d/other", PATH2)), 0);
  assert.equal(program.call("readlink", program.put("/d/other"), BYTES, 100), 0);
  assert.equal(program.text(BYTES), "../target");
  assert.equal(program.call("readlink", PATH, BYTES, 4), 0);
  assert.equal(program.text(BYTES), "../");
  assert.equal(program.call("unlink", program.put("/d")), EISDIR);
  assert.equal(program.call("rmdir", PATH), ENOTEMPTY);
  vfs.fs.unlinkSync("/d/other");
  // Without a 0 WASMFS would remember the name for good, and the program could not create it again.
  assert.equal(program.call("unlink", program.put("/d/other")), 0);
  // The backend ends the program if a link cannot be read.
  assert.equal(program.call("readlink", PATH, BYTES, 100), 0);
  assert.equal(program.text(BYTES), "");
  assert.equal(program.call("rmdir", program.put("/d")), 0);
  assert.equal(program.call("rmdir", PATH), 0);
});

test("a directory is told name by name, whatever the program's stack and its versions call it", async (t) => {
  const { vfs, program } = await started(t);
  vfs.fs.mkdirSync("/d/sub", { recursive: true });
  vfs.fs.writeFileSync("/d/über", "");
  vfs.fs.symlinkSync("x", "/d/link");
  vfs.linux.mkfifo("/d/pipe");
  assert.equal(program.call("readdir", program.put("/d"), 7), 0);
  assert.deepEqual(program.listed, [
    ["link", 3],
    ["pipe", 0],
    ["sub", 2],
    ["über", 1],
  ]);
  assert.equal(program.stack, STACK);
  const { exports } = program;
  const older = {
    ...{ memory: exports.memory, _wasmfs_node_record_dirent: exports._wasmfs_node_record_dirent },
    ...{ stackSave: exports.emscripten_stack_get_current, stackAlloc: exports._emscripten_stack_alloc },
    stackRestore: exports._emscripten_stack_restore,
  };
  wasmfsImports({ env: program.imports }, { vfs, instance: () => ({ exports: older }) });
  assert.equal(program.call("readdir", program.put("/d/sub"), 7), 0);
  assert.equal(program.call("readdir", program.put("/d"), 7), 0);
  assert.equal(program.listed.length, 8);
  wasmfsImports({ env: program.imports }, { vfs, instance: () => ({ exports: { memory: exports.memory } }) });
  assert.throws(() => program.call("readdir", program.put("/d"), 7), {
    code: "ERR_THREADFS_WASMFS",
    message: /exports no _wasmfs_node_record_dirent/,
  });
});

test("the context decides, memory that grows is found again, and a closed tree is told to the embedder", async (t) => {
  const { vfs, program } = await started(t);
  vfs.fs.writeFileSync("/secret", "text", { mode: 0o600 });
  const context = vfs.context({ uid: 1000 });
  wasmfsImports({ env: program.imports }, { vfs: context, instance: () => program });
  assert.equal(program.open("/secret", "r"), -EACCES);
  program.memory.grow(1);
  assert.equal(program.call("get_mode", program.put("/secret"), NUMBER), 0);
  assert.equal(program.number, 0o100600);
  context.close();
  assert.throws(() => program.call("get_mode", PATH, NUMBER), { code: "ERR_THREADFS_CLOSED" });
  const imported: Record<string, unknown> = { ...program.imports, memory: program.memory };
  wasmfsImports({ env: imported }, { vfs, instance: () => ({ exports: {} }) });
  program.imports._wasmfs_node_get_mode = imported._wasmfs_node_get_mode as () => number;
  assert.equal(program.call("get_mode", program.put("/secret"), NUMBER), 0);
  wasmfsImports(
    { env: program.imports },
    { vfs, instance: () => ({ exports: {} }), memory: () => program.memory.buffer },
  );
  assert.equal(program.call("get_mode", program.put("/none"), NUMBER), ENOENT);
});

test("what is no such program, and bad options, are refused", async (t) => {
  const { vfs } = await started(t);
  const instance = () => new Program();
  assert.throws(() => wasmfsImports({ env: {} }, { vfs, instance }), {
    code: "ERR_THREADFS_WASMFS",
    message: /imports no Node backend/,
  });
  const unknown = { _wasmfs_node_open: () => 0, _wasmfs_node_link: () => 0 };
  assert.throws(() => wasmfsImports({ env: unknown }, { vfs, instance }), {
    code: "ERR_THREADFS_WASMFS",
    message: /"_wasmfs_node_link", which this version does not know/,
  });
  const bad = (options: unknown, code: string): void => {
    assert.throws(() => wasmfsImports({ env: new Program().imports }, options as { vfs: Vfs; instance: never }), {
      code,
    });
  };
  bad({ vfs: {}, instance }, "ERR_INVALID_ARG_TYPE");
  bad({ instance }, "ERR_INVALID_ARG_TYPE");
  bad({ vfs }, "ERR_INVALID_ARG_TYPE");
  bad({ vfs, instance, memory: {} }, "ERR_INVALID_ARG_TYPE");
  bad({ vfs, instance, root: "/" }, "ERR_INVALID_ARG_VALUE");
  const closed = await createVfs({ maxBytes: 1 << 24 });
  closed.close();
  bad({ vfs: closed, instance }, "ERR_THREADFS_CLOSED");
});
