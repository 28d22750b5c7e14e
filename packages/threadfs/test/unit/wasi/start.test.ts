/** threadfs/wasi: options, the start and the end of a program, its standard streams. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createVfs } from "../../../dist/src/index.js";
import { ConsoleStream, NO_STREAM } from "../../../dist/src/wasi/streams.js";
import { programOf } from "../../../dist/src/wasi/wasi.js";
import { createWasi, type Wasi, WasiExit, type WasiOptions } from "../../../dist/src/wasi.js";
import { boxed, DIR, TestProgram } from "./program.js";

const { RESULT } = TestProgram;

/** A program as an instance: `main` is what it does. */
function instance(program: TestProgram, main: () => void) {
  return { exports: { memory: program.memory, _start: main } };
}

/** The end of a program, through its frames. */
const exit = (program: TestProgram, code: number): void => {
  program.calls.proc_exit?.(code);
};

describe("the start", () => {
  test("returns the exit code, and the descriptors are closed then", async (t) => {
    for (const code of [0, 7, 255, 2 ** 32 - 1]) {
      const { vfs, program } = await boxed(t);
      const main = () => {
        program.opened(DIR, "f");
        exit(program, code);
      };
      assert.equal(program.wasi.start(instance(program, main)), code);
      assert.equal(await program.wasi.ended(), code);
      assert.equal(vfs.counters().openFiles, 0);
    }
    const { vfs, program } = await boxed(t);
    assert.equal(program.wasi.start(instance(program, () => program.opened(DIR, "f"))), 0);
    assert.equal(vfs.counters().openFiles, 0);
    assert.throws(() => program.wasi.start(instance(program, () => {})), { code: "ERR_WASI_ALREADY_STARTED" });
    assert.throws(() => program.read(0, 1), "a call after the end");
  });

  test("throws what the program throws, and with returnOnExit: false its exit", async (t) => {
    const { vfs, program } = await boxed(t);
    const trap = new WebAssembly.RuntimeError("unreachable");
    const main = () => {
      program.opened(DIR, "f");
      throw trap;
    };
    assert.throws(
      () => program.wasi.start(instance(program, main)),
      (error) => error === trap,
    );
    assert.equal(vfs.counters().openFiles, 0);
    assert.equal(await program.wasi.ended(), 134);
    const { program: other } = await boxed(t, { returnOnExit: false });
    assert.throws(
      () => other.wasi.start(instance(other, () => exit(other, 3))),
      (error) => error instanceof WasiExit && error.exitCode === 3,
    );
  });

  // Before, start() returned its own thread's code, and ended() the other one.
  test("the exit code is that of the thread that has ended the program first", async (t) => {
    const { program } = await boxed(t);
    const main = () => {
      // What proc_exit of another thread does.
      program.wasi.close(5);
      exit(program, 3);
    };
    assert.equal(program.wasi.start(instance(program, main)), 5);
    assert.equal(await program.wasi.ended(), 5);
    const { program: other } = await boxed(t);
    assert.equal(other.wasi.start(instance(other, () => other.wasi.close(6))), 6);
  });

  // Without isExit() the outer program would seem to have exited.
  test("the exit of another program, which a stream throws, is no exit of this one", async (t) => {
    const { program: inner } = await boxed(t, { returnOnExit: false });
    const { program } = await boxed(t, {
      stdout: () => inner.wasi.start(instance(inner, () => exit(inner, 3))),
    });
    assert.throws(
      () => program.wasi.start(instance(program, () => program.write(1, "x"))),
      (error) => error instanceof WasiExit && error.exitCode === 3,
    );
    assert.equal(await program.wasi.ended(), 134);
  });

  test("a signal that is raised ends the program as a shell tells it, or is ignored", async (t) => {
    const { program } = await boxed(t);
    const main = () => {
      for (const signal of [0, 16, 17, 22, 27]) assert.equal(program.call("proc_raise", signal), "SUCCESS");
      assert.equal(program.call("proc_raise", 18), "ENOTSUP");
      assert.equal(program.call("proc_raise", 31), "EINVAL");
      assert.equal(program.call("sched_yield"), "SUCCESS");
      program.call("proc_raise", 6);
    };
    assert.equal(program.wasi.start(instance(program, main)), 134);
  });
});

describe("a reactor", () => {
  test("a reactor is initialized, and lives until it is closed", async (t) => {
    const { vfs, program } = await boxed(t);
    let calls = 0;
    program.wasi.initialize({ exports: { memory: program.memory, _initialize: () => calls++ } });
    assert.equal(calls, 1);
    program.opened(DIR, "f");
    program.wasi.close();
    program.wasi.close();
    assert.equal(vfs.counters().openFiles, 0);
  });

  // Before, initialize() returned, and an export threw an object that was no Error.
  test("a reactor that exits has ended: initialize() and its exports throw its exit", async (t) => {
    const isExit = (code: number) => (error: unknown) => error instanceof WasiExit && error.exitCode === code;
    const { vfs, program } = await boxed(t);
    const _initialize = () => {
      program.opened(DIR, "f");
      exit(program, 3);
    };
    assert.throws(() => program.wasi.initialize({ exports: { memory: program.memory, _initialize } }), isExit(3));
    assert.equal(vfs.counters().openFiles, 0);
    const { program: other } = await boxed(t);
    other.wasi.initialize({ exports: { memory: other.memory } });
    assert.throws(() => exit(other, 4), isExit(4));
    for (const name of Object.keys(other.calls)) {
      // A negative position, which is refused before a descriptor is looked at.
      const args = /_p(read|write)$/.test(name) ? [0, 0, 0, -1n, 0] : new Array<number>(9).fill(0);
      assert.throws(() => other.calls[name]?.(...args), isExit(4), name);
    }
  });

  test("what is no instance of a command, or of a reactor, is refused", async (t) => {
    const { program } = await boxed(t);
    const { wasi, memory } = program;
    const bad: [call: "start" | "initialize", value: unknown][] = [
      ["start", undefined],
      ["start", {}],
      ["start", { exports: { memory } }],
      ["start", { exports: { memory: 5, _start() {} } }],
      ["initialize", { exports: { memory, _start() {} } }],
    ];
    for (const [call, value] of bad) {
      const { program: fresh } = await boxed(t);
      assert.throws(() => fresh.wasi[call](value as never), { code: "ERR_INVALID_ARG_TYPE" });
    }
    assert.throws(() => wasi.bindMemory(5 as never), { code: "ERR_INVALID_ARG_TYPE" });
  });
});

describe("options", () => {
  test("that are not known, or of another type, are refused", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    t.after(() => vfs.close());
    const bad: [options: unknown, code: string][] = [
      [{ arguments: [] }, "ERR_INVALID_ARG_VALUE"],
      [{ args: "x" }, "ERR_INVALID_ARG_TYPE"],
      [{ args: [1] }, "ERR_INVALID_ARG_TYPE"],
      [{ args: ["a\0b"] }, "ERR_INVALID_ARG_VALUE"],
      [{ env: [] }, "ERR_INVALID_ARG_TYPE"],
      [{ env: { A: 1 } }, "ERR_INVALID_ARG_TYPE"],
      [{ preopens: { "/": 5 } }, "ERR_INVALID_ARG_TYPE"],
      [{ preopens: { "/": "/none" } }, "ENOENT"],
      [{ stdin: {} }, "ERR_INVALID_ARG_VALUE"],
      [{ stdout: "out" }, "ERR_INVALID_ARG_VALUE"],
      [{ stderr: 99 }, "EBADF"],
      [{ returnOnExit: 1 }, "ERR_INVALID_ARG_TYPE"],
      [5, "ERR_INVALID_ARG_TYPE"],
    ];
    for (const [options, code] of bad) {
      assert.throws(() => createWasi(vfs, options as WasiOptions), { code }, JSON.stringify(options));
    }
    assert.throws(() => createWasi({} as never), { code: "ERR_INVALID_ARG_TYPE" });
    assert.equal(vfs.counters().openFiles, 0);
  });

  test("arguments and environment", async (t) => {
    const { program } = await boxed(t, { args: ["prog", "ä b", ""], env: { A: "1", B: "x=y" } });
    const read = (name: string) => {
      assert.equal(program.call(`${name}_sizes_get`, RESULT, RESULT + 4), "SUCCESS");
      const [count, size] = [program.result, program.view.getUint32(RESULT + 4, true)];
      assert.equal(program.call(`${name}_get`, 2000, 3000), "SUCCESS");
      const text = program.bytes(3000, size);
      return Array.from({ length: count }, (_, n) => {
        const at = program.view.getUint32(2000 + n * 4, true) - 3000;
        return Buffer.from(text).subarray(at).toString().split("\0")[0];
      });
    };
    assert.deepEqual(read("args"), ["prog", "ä b", ""]);
    assert.deepEqual(read("environ"), ["A=1", "B=x=y"]);
    assert.equal(program.call("random_get", 2000, 70_000), "SUCCESS");
    assert.ok(new Set(program.bytes(71_000, 900)).size > 20);
  });

  test("a context is the program's user", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    t.after(() => vfs.close());
    vfs.fs.mkdirSync("/d", { mode: 0o755 });
    const program = new TestProgram(createWasi(vfs.context({ uid: 1000 }), { preopens: { ".": "/d" } }));
    assert.equal(program.call("path_create_directory", DIR, "x"), "EACCES");
    vfs.fs.chmodSync("/d", 0o777);
    assert.equal(program.call("path_create_directory", DIR, "x"), "SUCCESS");
    assert.equal(vfs.fs.statSync("/d/x").uid, 1000);
  });
});

describe("standard streams", () => {
  test("functions get copies of what is written, and give what is read", async (t) => {
    const output: string[] = [];
    const input = ["hello world", new TextEncoder().encode("!"), null];
    const { program } = await boxed(t, {
      stdin: () => input.shift(),
      stdout: (bytes) => output.push(`out ${Buffer.from(bytes)}`),
      stderr: (bytes) => output.push(`err ${Buffer.from(bytes)}`),
    });
    assert.equal(program.write(1, "a", "b"), 2);
    assert.equal(program.write(2, "c"), 1);
    assert.deepEqual(output, ["out ab", "err c"]);
    assert.deepEqual(
      [program.read(0, 5), program.read(0, 100), program.read(0, 9), program.read(0, 9)],
      ["hello", " world", "!", ""],
    );
    assert.equal(program.write(0, "x"), "ENOTCAPABLE");
    assert.equal(program.read(1, 1), "ENOTCAPABLE");
    assert.equal(program.call("fd_fdstat_get", 1, RESULT), "SUCCESS");
    assert.equal(program.view.getUint8(RESULT), 2, "a terminal, for isatty(3)");
    assert.equal(program.call("fd_close", 1), "SUCCESS");
    assert.equal(program.write(1, "x"), "EBADF");
  });

  test("descriptors of the context are read and written, and stay its own", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    t.after(() => vfs.close());
    vfs.fs.writeFileSync("/in", "input");
    const [stdin, stdout] = [vfs.fs.openSync("/in", "r"), vfs.fs.openSync("/out", "w+")];
    const wasi: Wasi = createWasi(vfs, { stdin, stdout, stderr: stdout });
    const program = new TestProgram(wasi);
    const main = () => {
      assert.equal(program.read(0, 99), "input");
      assert.equal(program.write(1, "one "), 4);
      assert.equal(program.write(2, "two"), 3);
      assert.equal(program.call("fd_close", 1), "SUCCESS");
      assert.equal(program.call("fd_renumber", 0, 2), "SUCCESS");
    };
    assert.equal(wasi.start(instance(program, main)), 0);
    assert.equal(vfs.fs.readFileSync("/out", "utf8"), "one two");
    vfs.fs.writeSync(stdout, "!");
    vfs.fs.closeSync(stdin);
    vfs.fs.closeSync(stdout);
    assert.equal(vfs.counters().openFiles, 0);
  });

  // Before, an input was lost that had let the memory grow: its buffers were made before.
  test("functions may let the memory grow, and an input gives bytes or a string", async (t) => {
    const given: unknown[] = ["hello", 5, [104, 105]];
    const grow = () => {
      const { memory } = made[0] as TestProgram;
      memory.grow(1);
    };
    const { program } = await boxed(t, {
      stdin: () => {
        grow();
        return given.shift() as string;
      },
      stdout: grow,
    });
    const made = [program];
    assert.equal(program.read(0, 9), "hello");
    assert.equal(program.write(1, "text"), 4);
    assert.throws(() => program.read(0, 9), { code: "ERR_INVALID_ARG_TYPE", message: /options\.stdin/ });
    assert.throws(() => program.read(0, 9), { code: "ERR_INVALID_ARG_TYPE" });
    assert.equal(program.read(0, 9), "", "the end");
  });

  test("what a stream throws is what the program throws", async (t) => {
    const { program } = await boxed(t, {
      stdout: () => {
        throw new Error("full");
      },
    });
    assert.throws(() => program.wasi.start(instance(program, () => program.write(1, "x"))), /full/);
  });
});

describe("the streams of the host", () => {
  // Taken out: end(). The text behind the last line was lost.
  test("a console gets whole lines, and at the end of the program what is behind the last one", async (t) => {
    const { vfs, program: first } = await boxed(t);
    const lines: string[] = [];
    const console = new ConsoleStream((line) => lines.push(line));
    const program = new TestProgram(programOf(vfs, first.wasi.handle, [NO_STREAM, console, NO_STREAM]));
    const main = () => {
      assert.equal(program.write(1, "one\ntw", "o\n", "three"), 13);
      assert.deepEqual(lines, ["one", "two"]);
      // The first of the two bytes of a character, which the program has not finished.
      assert.equal(
        program.call("fd_write", 1, ...program.vectors([program.text(new Uint8Array([0xc3]))]), RESULT),
        "SUCCESS",
      );
    };
    assert.equal(program.wasi.start(instance(program, main)), 0);
    program.wasi.close();
    assert.deepEqual(lines, ["one", "two", "three\ufffd"]);
  });

  // Before, each ended the program with the host's exception.
  test("errors of the process's own streams are the program's", () => {
    const [directory, readOnly] = [openSync(".", "r"), openSync(fileURLToPath(import.meta.url), "r")];
    const path = fileURLToPath(new URL("inherited.process.js", import.meta.url));
    const { stderr } = spawnSync(process.execPath, [path], { stdio: [directory, readOnly, "pipe"], encoding: "utf8" });
    closeSync(directory);
    closeSync(readOnly);
    assert.equal(stderr, "EISDIR EBADF");
  });
});
