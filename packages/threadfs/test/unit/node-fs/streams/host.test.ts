/** Where streams come from: the host's node:stream, or a module that the program gives, as in a browser. */
import assert from "node:assert/strict";
import stream from "node:stream";
import { describe, test } from "node:test";
import { createVfs, type HostOptions, type Vfs } from "../../../../dist/src/index.js";

const MAX_BYTES = 1 << 24;

/** A module of streams whose Readable can be told from the host's. */
function ownModule() {
  function Readable(this: stream.Readable, options: object): void {
    Function.prototype.call.call(stream.Readable, this, options);
  }
  Object.setPrototypeOf(Readable.prototype, stream.Readable.prototype);
  const { Writable, finished, addAbortSignal } = stream;
  return { Readable, Writable, finished, addAbortSignal } as unknown as NonNullable<HostOptions["stream"]>;
}

/** Runs synchronous work in a host that has no process, and so no modules of Node. */
function withoutProcess(work: () => void): void {
  const own = Object.getOwnPropertyDescriptor(globalThis, "process") ?? {};
  Object.defineProperty(globalThis, "process", { value: undefined, configurable: true });
  try {
    work();
  } finally {
    Object.defineProperty(globalThis, "process", own);
  }
}

async function withVfs(options: Partial<HostOptions>, work: (vfs: Vfs) => Promise<void> | void): Promise<void> {
  const vfs = await createVfs({ maxBytes: MAX_BYTES, ...options });
  try {
    await work(vfs);
  } finally {
    vfs.close();
  }
}

describe("streams", () => {
  test("extend the classes of the module in options.stream, and read and write by them", () =>
    withVfs({ stream: ownModule() }, async ({ fs }) => {
      fs.writeFileSync("/f", "text");
      const reader = fs.createReadStream("/f", "utf8");
      assert.equal(Object.getPrototypeOf(fs.ReadStream).name, "Readable");
      assert.notEqual(Object.getPrototypeOf(fs.ReadStream), stream.Readable);
      const read: string[] = [];
      for await (const chunk of reader) read.push(chunk);
      assert.deepEqual(read, ["text"]);
    }));

  test("need a module where the host has none: their use says which, and their exports can be copied", () =>
    withVfs({}, ({ fs }) => {
      withoutProcess(() => {
        const copy = { ...fs };
        const error = { code: "ERR_THREADFS_NO_STREAMS", message: /createVfs\(\).*\{ stream \}.*readable-stream/ };
        assert.throws(() => fs.createReadStream("/f"), error);
        assert.throws(() => fs.createWriteStream("/f"), error);
        for (const Class of [copy.ReadStream, copy.WriteStream, copy.FileReadStream, copy.FileWriteStream]) {
          assert.throws(() => new (Class as unknown as new (path: string) => unknown)("/f"), error);
        }
      });
    }));

  test("work without a process when a module is given", () =>
    withVfs({ stream: ownModule() }, ({ fs }) => {
      withoutProcess(() => assert.equal(fs.ReadStream.name, "ReadStream"));
    }));

  test("are not made before their first use", () =>
    withVfs({}, ({ fs }) => {
      const { process } = globalThis;
      const { getBuiltinModule } = process;
      const asked: string[] = [];
      process.getBuiltinModule = ((name: string) => {
        asked.push(name);
        return getBuiltinModule(name);
      }) as typeof getBuiltinModule;
      try {
        fs.existsSync("/f");
        assert.deepEqual(asked, []);
        assert.equal(fs.FileReadStream, fs.ReadStream);
        assert.deepEqual(asked, ["node:stream"]);
      } finally {
        process.getBuiltinModule = getBuiltinModule;
      }
    }));

  test("refuse a module that is none, or too old", async () => {
    const { addAbortSignal: _, ...old } = ownModule();
    for (const wrong of [null, 5, "readable-stream", {}, old, () => {}]) {
      const options = { maxBytes: MAX_BYTES, stream: wrong } as unknown as { maxBytes: number };
      const error = { code: "ERR_INVALID_ARG_TYPE", message: /"options\.stream" .*readable-stream 4/ };
      await assert.rejects(createVfs(options), error);
    }
  });
});
