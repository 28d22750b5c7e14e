/** Contents: reading and writing in every form, positions, sizes beyond what one system call transfers. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createVfs } from "../../../dist/src/index.js";
import { type FsCalls, unchecked } from "../../support/fs-calls.js";
import { suite } from "./both.js";

const tree = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/file`, "0123456789");
  fs.writeFileSync(`${dir}/empty`, "");
});
const { same } = tree;

/** Works on a descriptor, which is closed afterwards. */
function withFd<T>(fs: FsCalls, path: string, flags: string, work: (fd: number) => T): T {
  const fd = fs.openSync(path, flags);
  try {
    return work(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Bytes that differ after every shift that a mistake could make. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + (i >> 16)) & 255;
  return bytes;
}

const LARGE = [65535, 65536, 65537, 200_001];

describe("read", () => {
  same("moves the descriptor's position", (fs, dir) =>
    withFd(fs, `${dir}/file`, "r", (fd) => {
      const results: unknown[] = [];
      const buffer = Buffer.alloc(4);
      for (let i = 0; i < 4; i++) results.push([fs.readSync(fd, buffer), buffer.toString()]);
      return results;
    }),
  );
  same("at a position leaves the descriptor's position", (fs, dir) =>
    withFd(fs, `${dir}/file`, "r", (fd) => {
      const buffer = Buffer.alloc(3);
      const results: unknown[] = [];
      for (const position of [7, 8n, 20, 0]) {
        buffer.fill(".");
        results.push(fs.readSync(fd, buffer, 0, 3, position), buffer.toString());
      }
      results.push(fs.readSync(fd, buffer, 0, 3, null), buffer.toString(), fs.readSync(fd, buffer), buffer.toString());
      return results;
    }),
  );
  same("every form of its arguments", (fs, dir) =>
    withFd(fs, `${dir}/file`, "r", (fd) => {
      const results: unknown[] = [];
      const take = (...args: unknown[]) => {
        const buffer = Buffer.alloc(6, ".");
        results.push(unchecked(fs).readSync(fd, buffer, ...args), buffer.toString());
      };
      take({ offset: 1, length: 2, position: 3 });
      take({ position: 2 });
      take({});
      take(null);
      take(2, 3, 4);
      take(2, 0, 4);
      take(undefined, 3, 1);
      return results;
    }),
  );
  same("fills other views of memory", (fs, dir) =>
    withFd(fs, `${dir}/file`, "r", (fd) => {
      const words = new Uint16Array(2);
      const view = new DataView(new ArrayBuffer(8), 2, 3);
      return [fs.readSync(fd, words), words, fs.readSync(fd, view), new Uint8Array(view.buffer)];
    }),
  );
  for (const size of LARGE) {
    same(`${size} bytes at once`, (fs, dir) => {
      fs.writeFileSync(`${dir}/large`, pattern(size));
      return withFd(fs, `${dir}/large`, "r", (fd) => {
        const buffer = Buffer.alloc(size + 10);
        const got = fs.readSync(fd, buffer, 3, size + 5, 2);
        return [got, buffer.subarray(3, 3 + got).equals(pattern(size).subarray(2))];
      });
    });
  }
});

describe("write", () => {
  same("every form of its arguments", (fs, dir) => {
    const written = withFd(fs, `${dir}/file`, "r+", (fd) => [
      fs.writeSync(fd, "ab"),
      fs.writeSync(fd, Buffer.from("cdef"), 1, 2),
      fs.writeSync(fd, Buffer.from("ghij"), 1, 2, 8),
      unchecked(fs).writeSync(fd, Buffer.from("kl"), { position: 6 }),
      fs.writeSync(fd, "ü", 12),
      fs.writeSync(fd, "ü", 15, "latin1"),
      fs.writeSync(fd, new Uint16Array([0x4142]), null),
      fs.writeSync(fd, new Uint8Array(0)),
      fs.writeSync(fd, "mn", null, "utf8"),
    ]);
    return [written, fs.readFileSync(`${dir}/file`, "latin1")];
  });
  same("beyond the end leaves zeros", (fs, dir) => {
    withFd(fs, `${dir}/file`, "r+", (fd) => fs.writeSync(fd, "x", 70_000));
    const bytes = fs.readFileSync(`${dir}/file`);
    return [bytes.length, bytes.subarray(10, 70_000).every((byte) => byte === 0), fs.statSync(`${dir}/file`).size];
  });
  same("in append mode ignores the position", (fs, dir) => {
    withFd(fs, `${dir}/file`, "a", (fd) => {
      fs.writeSync(fd, "a");
      fs.writeSync(fd, "b", 0);
      fs.writeSync(fd, Buffer.from("c"), 0, 1, 2);
    });
    return fs.readFileSync(`${dir}/file`, "utf8");
  });
  for (const size of LARGE) {
    same(`${size} bytes at once`, (fs, dir) => {
      const wrote = withFd(fs, `${dir}/large`, "w", (fd) => fs.writeSync(fd, pattern(size + 4), 2, size, 1));
      const bytes = fs.readFileSync(`${dir}/large`);
      return [wrote, bytes.length, bytes.subarray(1).equals(pattern(size + 4).subarray(2, 2 + size))];
    });
  }
});

describe("readFile", () => {
  for (const options of [
    undefined,
    null,
    "utf8",
    "hex",
    "base64",
    { encoding: "latin1" },
    { flag: "r" },
    {},
  ] as const) {
    same(JSON.stringify(options) ?? "no options", (fs, dir) => fs.readFileSync(`${dir}/file`, options));
  }
  same("reads an empty file", (fs, dir) => [fs.readFileSync(`${dir}/empty`), fs.readFileSync(`${dir}/empty`, "utf8")]);
  same("returns a Buffer", (fs, dir) => Buffer.isBuffer(fs.readFileSync(`${dir}/file`)));
  same("keeps a byte order mark", (fs, dir) => {
    fs.writeFileSync(`${dir}/bom`, Buffer.from([0xef, 0xbb, 0xbf, 0x61]));
    return fs.readFileSync(`${dir}/bom`, "utf8");
  });
  same("replaces bytes that are no UTF-8", (fs, dir) => {
    fs.writeFileSync(`${dir}/bytes`, Buffer.from([0x61, 0xff, 0xc3, 0x62]));
    return fs.readFileSync(`${dir}/bytes`, "utf8");
  });
  same("of a descriptor reads on from its position", (fs, dir) =>
    withFd(fs, `${dir}/file`, "r", (fd) => {
      fs.readSync(fd, Buffer.alloc(4));
      return [fs.readFileSync(fd, "utf8"), fs.readFileSync(fd, "utf8")];
    }),
  );
  same("creates the file when its flag says so", (fs, dir) => [
    fs.readFileSync(`${dir}/new`, { flag: "a+" }),
    fs.readdirSync(dir),
  ]);
  for (const size of LARGE) {
    same(`${size} bytes`, (fs, dir) => {
      fs.writeFileSync(`${dir}/large`, pattern(size));
      return fs.readFileSync(`${dir}/large`).equals(pattern(size));
    });
  }
});

describe("writeFile and appendFile", () => {
  const forms: readonly (readonly [data: string | NodeJS.ArrayBufferView, options: unknown])[] = [
    ["text", undefined],
    ["616263", "hex"],
    ["text", { mode: 0o600 }],
    ["text", { mode: "604", flag: "wx" }],
    ["text", { flag: "a" }],
    ["text", { flag: "r+" }],
    ["text", { flush: true }],
    [Buffer.from("bytes"), null],
    [new Uint16Array([0x6261, 0x6463]), undefined],
    [new DataView(new ArrayBuffer(3)), undefined],
    ["", undefined],
    ["lone \ud800 surrogate", undefined],
  ];
  for (const [data, options] of forms) {
    const shown = `${typeof data === "string" ? data : data.constructor.name} ${JSON.stringify(options)}`;
    for (const call of ["writeFileSync", "appendFileSync"] as const) {
      for (const name of ["file", "new"]) {
        same(`${call} of ${shown} to the ${name}`, (fs, dir) => {
          unchecked(fs)[call](`${dir}/${name}`, data, options);
          return [fs.readFileSync(`${dir}/${name}`, "latin1"), fs.statSync(`${dir}/${name}`).mode];
        });
      }
    }
  }
  same("to a descriptor writes on from its position", (fs, dir) => {
    withFd(fs, `${dir}/file`, "r+", (fd) => {
      fs.readSync(fd, Buffer.alloc(4));
      fs.writeFileSync(fd, "x");
      fs.appendFileSync(fd, "y");
    });
    return fs.readFileSync(`${dir}/file`, "utf8");
  });
});

describe("truncate", () => {
  for (const size of [0, 4, 10, 100, 70_000]) {
    same(`to ${size}`, (fs, dir) => {
      fs.truncateSync(`${dir}/file`, size);
      const first = fs.readFileSync(`${dir}/file`);
      fs.truncateSync(`${dir}/file`, 20);
      return [first, fs.readFileSync(`${dir}/file`)];
    });
  }
  same("of a descriptor leaves its position", (fs, dir) => {
    withFd(fs, `${dir}/file`, "r+", (fd) => {
      fs.writeSync(fd, "abc");
      fs.ftruncateSync(fd);
      fs.writeSync(fd, "d");
    });
    return fs.readFileSync(`${dir}/file`);
  });
});

describe("copyFile", () => {
  for (const size of [0, 10, ...LARGE]) {
    same(`${size} bytes`, (fs, dir) => {
      fs.writeFileSync(`${dir}/from`, pattern(size), { mode: 0o640 });
      fs.writeFileSync(`${dir}/to`, "something longer than ten bytes");
      fs.copyFileSync(`${dir}/from`, `${dir}/to`, fs.constants.COPYFILE_FICLONE);
      return [fs.readFileSync(`${dir}/to`).equals(pattern(size)), fs.statSync(`${dir}/to`).mode];
    });
  }
  same("of a file onto itself leaves the file unchanged", (fs, dir) => {
    fs.linkSync(`${dir}/file`, `${dir}/second`);
    fs.copyFileSync(`${dir}/file`, `${dir}/second`);
    return fs.readFileSync(`${dir}/file`, "utf8");
  });
  test("COPYFILE_FICLONE_FORCE is not supported", () => {
    const { fs } = tree.vfs;
    fs.writeFileSync("/cloned", "x");
    const force = fs.constants.COPYFILE_FICLONE_FORCE;
    assert.throws(() => fs.copyFileSync("/cloned", "/clone", force), { code: "ENOTSUP", syscall: "copyfile" });
    assert.equal(fs.existsSync("/clone"), false);
  });
});

describe("a full tree", () => {
  test("a write returns the bytes it wrote, the next one fails with ENOSPC, and a removal makes room again", async () => {
    const vfs = await createVfs({ maxBytes: 8 << 20 });
    const { fs } = vfs;
    try {
      const chunk = pattern(1 << 20);
      const fd = fs.openSync("/big", "w+");
      let size = 0;
      let wrote: number;
      do {
        wrote = fs.writeSync(fd, chunk);
        size += wrote;
      } while (wrote === chunk.length && size < 16 << 20);
      assert.ok(wrote < chunk.length, "the tree is full before it holds twice its size");
      assert.throws(() => fs.writeSync(fd, chunk), { code: "ENOSPC", syscall: "write", errno: -28 });
      assert.equal(fs.fstatSync(fd).size, size);
      const last = Buffer.alloc(wrote);
      assert.equal(fs.readSync(fd, last, 0, wrote, size - wrote), wrote);
      assert.ok(last.equals(chunk.subarray(0, wrote)));
      fs.closeSync(fd);
      assert.throws(() => fs.writeFileSync("/more", chunk), { code: "ENOSPC" });
      fs.unlinkSync("/big");
      fs.rmSync("/more", { force: true });
      fs.writeFileSync("/again", chunk);
      assert.ok(fs.readFileSync("/again").equals(chunk));
    } finally {
      vfs.close();
    }
  });
});

// With a callback Node makes a write also where there is nothing to write, but to a path without `flush`.
same("writing nothing to what is open for reading only fails in some forms", async (fs, dir) => {
  const path = `${dir}/file`;
  const fd = fs.openSync(path, "r");
  type Call = (...given: readonly unknown[]) => unknown;
  const calls = fs as unknown as { readonly [name: string]: Call } & {
    readonly promises: { readonly [name: string]: Call };
  };
  const outcomes: Record<string, unknown> = {};
  for (const name of ["writeFile", "appendFile"]) {
    for (const data of ["", Buffer.alloc(0)]) {
      for (const [target, to] of Object.entries({ fd, path })) {
        for (const flush of [false, true]) {
          const given = [to, data, { flag: "r", flush }];
          const title = `${name} ${typeof data} ${target} ${flush}`;
          outcomes[`${title} sync`] = unlessFailed(() => calls[`${name}Sync`]?.(...given));
          outcomes[`${title} callback`] = await new Promise((resolve) => {
            calls[name]?.(...given, (error: NodeJS.ErrnoException | null) => resolve(error?.message ?? null));
          });
        }
      }
    }
  }
  fs.closeSync(fd);
  return outcomes;
});

function unlessFailed(call: () => unknown): unknown {
  try {
    return call() ?? null;
  } catch (error) {
    return (error as Error).message;
  }
}

describe("the Buffer of a small file", () => {
  const SIZES = [0, 1, 100, 4095, 4096, 32_767, 32_768, 70_000];

  same("is a part of memory that others share", (fs, dir) =>
    SIZES.map((size) => {
      fs.writeFileSync(`${dir}/file`, pattern(size));
      const buffer = fs.readFileSync(`${dir}/file`);
      return [
        size,
        buffer.equals(pattern(size)),
        size === 0 || [buffer.buffer.byteLength >= 65_536, buffer.byteOffset % 8],
      ];
    }),
  );

  test("has bytes of its own, also when another one's memory is to be transferred", async (t) => {
    const vfs = await createVfs({ maxBytes: 1 << 24 });
    t.after(() => vfs.close());
    const { fs } = vfs;
    const files = Array.from({ length: 300 }, (_, n) => Buffer.alloc(1 + ((n * 37) % 5000), n));
    const read = files.map((bytes, n) => {
      fs.writeFileSync(`/${n}`, bytes);
      return fs.readFileSync(`/${n}`);
    });
    for (const { buffer } of read) {
      try {
        structuredClone(buffer, { transfer: [buffer] });
      } catch (error) {
        // Since Node 21; before, the memory is copied.
        assert.equal((error as Error).name, "DataCloneError");
      }
    }
    for (const [n, bytes] of files.entries()) assert.ok(read[n]?.equals(bytes), `file ${n}`);
  });
});
