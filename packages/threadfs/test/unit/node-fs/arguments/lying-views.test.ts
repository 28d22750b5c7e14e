/**
 * Views that lie about themselves: what counts is the memory that they have, in every place that takes a view. What other calls left
 * in the thread's scratch area never shows.
 */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { createVfs, type Vfs } from "../../../../dist/src/index.js";
import { type FsCalls, type UncheckedCalls, unchecked } from "../../../support/fs-calls.js";
import { threads } from "../../../support/threads.js";

const SECRET = "/the-path-of-another-caller/and-its-secret";
const FOREIGN = new Uint8Array(64).fill(0x53);

/** A Uint8Array of which every property and method lies. */
class Lying extends Uint8Array {
  override get length(): 20 {
    return 20;
  }
  override get byteLength(): 20 {
    return 20;
  }
  override get byteOffset(): 4 {
    return 4;
  }
  override get buffer(): ArrayBuffer {
    return FOREIGN.buffer;
  }
  static get [Symbol.species](): typeof Uint8Array {
    return class extends Uint8Array {
      constructor() {
        super(FOREIGN);
      }
    } as unknown as typeof Uint8Array;
  }
}
for (const name of ["subarray", "slice", "set", "fill", "includes", "indexOf", "at", "values", "copyWithin"] as const) {
  Object.defineProperty(Lying.prototype, name, { value: () => FOREIGN });
}
for (const name of ["toString", "toLocaleString", "valueOf", Symbol.toPrimitive, "toJSON", "join"] as const) {
  Object.defineProperty(Lying.prototype, name, { value: () => SECRET });
}
Object.defineProperty(Lying.prototype, Symbol.iterator, { value: () => FOREIGN[Symbol.iterator]() });

/** A view that lies, over the bytes of a text. */
function lying(text: string): Buffer {
  const bytes = new TextEncoder().encode(text);
  const view = new Lying(bytes.length);
  Uint8Array.prototype.set.call(view, bytes);
  // The types of paths name Buffers.
  return view as unknown as Buffer;
}

/** A DataView whose own properties lie. */
function lyingDataView(text: string): DataView {
  const bytes = new TextEncoder().encode(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const [name, value] of Object.entries({ byteLength: 20, byteOffset: 4, buffer: FOREIGN.buffer })) {
    Object.defineProperty(view, name, { value });
  }
  return view;
}

let vfs: Vfs;
let fs: FsCalls;
let calls: UncheckedCalls;

beforeEach(async () => {
  vfs = await createVfs({ maxBytes: 1 << 24 });
  fs = vfs.fs;
  calls = unchecked(fs);
  fs.mkdirSync("/d");
  fs.writeFileSync("/f", "contents");
  fs.symlinkSync("f", "/l");
  // Both paths of the scratch area and its bytes hold something of another caller.
  fs.existsSync(SECRET);
  assert.throws(() => fs.renameSync(SECRET, SECRET), { code: "ENOENT" });
  fs.writeFileSync("/secret", "S".repeat(100));
  fs.readFileSync("/secret");
  fs.existsSync(SECRET);
});

describe("a path in a view that lies", () => {
  test("is its own bytes in every call with one path", () => {
    assert.equal(fs.existsSync(lying("/f")), true);
    assert.equal(fs.existsSync(lying("/g")), false);
    fs.accessSync(lying("/f"));
    assert.equal(fs.statSync(lying("/f")).size, 8);
    assert.equal(fs.lstatSync(lying("/l")).isSymbolicLink(), true);
    fs.closeSync(fs.openSync(lying("/f")));
    assert.equal(fs.readFileSync(lying("/f"), "utf8"), "contents");
    fs.writeFileSync(lying("/w"), "w");
    fs.appendFileSync(lying("/w"), "a");
    assert.equal(fs.readFileSync("/w", "utf8"), "wa");
    fs.truncateSync(lying("/w"), 1);
    fs.chmodSync(lying("/w"), 0o600);
    fs.chownSync(lying("/w"), 1, 2);
    fs.lchownSync(lying("/w"), 3, 4);
    fs.utimesSync(lying("/w"), 5, 6);
    fs.lutimesSync(lying("/w"), 7, 8);
    const { size, mode, uid, gid, mtimeMs } = fs.statSync("/w");
    assert.deepEqual([size, mode & 0o777, uid, gid, mtimeMs], [1, 0o600, 3, 4, 8000]);
    assert.equal(fs.readlinkSync(lying("/l")), "f");
    assert.equal(fs.realpathSync.native(lying("/l")), "/f");
    fs.mkdirSync(lying("/m"));
    fs.mkdirSync(lying("/n/o"), { recursive: true });
    assert.deepEqual(fs.readdirSync(lying("/n")), ["o"]);
    assert.deepEqual(fs.readdirSync(lying("/n"), { recursive: true }), ["o"]);
    const dir = fs.opendirSync(lying("/n"));
    assert.equal(dir.readSync()?.name, "o");
    dir.closeSync();
    assert.match(fs.mkdtempSync(lying("/t-") as unknown as string), /^\/t-.{6}$/);
    fs.rmdirSync(lying("/m"));
    fs.rmSync(lying("/n"), { recursive: true });
    fs.unlinkSync(lying("/w"));
    const left = fs.readdirSync("/").map((name) => name.replace(/^t-.*/, "t"));
    assert.deepEqual(left, ["d", "f", "l", "secret", "t"]);
  });

  test("is its own bytes in every call with two paths", () => {
    fs.symlinkSync(lying("abc"), lying("/s"));
    assert.equal(fs.readlinkSync("/s"), "abc");
    fs.renameSync(lying("/s"), lying("/r"));
    fs.linkSync(lying("/f"), lying("/h"));
    fs.copyFileSync(lying("/f"), lying("/c"));
    calls.cpSync(lying("/f"), lying("/p"));
    assert.deepEqual(fs.readdirSync("/"), ["c", "d", "f", "h", "l", "p", "r", "secret"]);
  });

  test("is its own bytes in the calls of a tree", () => {
    vfs.chdir(lying("/d"));
    assert.equal(vfs.getcwd(), "/d");
    vfs.setfacl(lying("/f"), []);
    assert.deepEqual(vfs.getfacl(lying("/f")), []);
    const context = vfs.context({ root: lying("/d"), cwd: lying("/") });
    assert.deepEqual(context.fs.readdirSync("/"), []);
  });

  test("is empty when its buffer has shrunk below it, and refused when it is detached", () => {
    const buffer = new ArrayBuffer(8);
    const view = Buffer.from(buffer).fill(0x61);
    structuredClone(buffer, { transfer: [buffer] });
    assert.throws(() => fs.statSync(view), TypeError);
    assert.equal(fs.existsSync(view), false);
    assert.throws(() => fs.symlinkSync(view, "/s"), TypeError);
    assert.equal(fs.existsSync("/s"), false);
  });

  test("is a copy: what a getter of the options changes afterwards does not count", () => {
    const path = Buffer.from("/f");
    const options = {
      get bigint() {
        path.fill(0);
        return false;
      },
    };
    assert.equal(fs.statSync(path, options as { bigint: false }).size, 8);
  });

  test("in a URL whose pathname changes is the pathname that was checked", () => {
    class Changing extends URL {
      #reads = 0;
      override get pathname(): string {
        return this.#reads++ === 0 ? "/f" : "/%2f";
      }
    }
    assert.equal(fs.statSync(new Changing("file:///x")).size, 8);
  });

  test("in a String object is refused", () => {
    assert.throws(() => calls.statSync(new String("/f")), { code: "ERR_INVALID_ARG_TYPE" });
  });
});

describe("data in a view that lies", () => {
  for (const [kind, make] of Object.entries({ Uint8Array: lying, DataView: lyingDataView })) {
    test(`is written as it is: ${kind}`, () => {
      calls.writeFileSync("/w", make("abc"));
      calls.appendFileSync("/w", make("def"));
      assert.equal(fs.readFileSync("/w", "utf8"), "abcdef");
      const fd = fs.openSync("/w", "w+");
      assert.equal(fs.writeSync(fd, make("xyz")), 3);
      assert.equal(fs.writeSync(fd, make("1234"), 1, 2), 2);
      assert.throws(() => fs.writeSync(fd, make("abc"), 0, 20), { code: "ERR_OUT_OF_RANGE" });
      fs.closeSync(fd);
      assert.equal(fs.readFileSync("/w", "utf8"), "xyz23");
    });

    test(`is read into as far as it goes: ${kind}`, () => {
      const fd = fs.openSync("/f");
      const view = make("....");
      assert.throws(() => fs.readSync(fd, view, 0, 20, 0), { code: "ERR_OUT_OF_RANGE" });
      assert.equal(fs.readSync(fd, view), 4);
      fs.closeSync(fd);
      const real =
        kind === "DataView"
          ? [0, 1].map((i) => (view as DataView).getUint8(i))
          : [view instanceof Uint8Array && view[0], view instanceof Uint8Array && view[1]];
      assert.deepEqual(real, [0x63, 0x6f]);
      assert.equal(
        FOREIGN.every((byte) => byte === 0x53),
        true,
      );
    });
  }

  test("that its own options detach reads and writes nothing", () => {
    const fd = fs.openSync("/f", "r+");
    for (const call of ["readSync", "writeSync"] as const) {
      const buffer = new ArrayBuffer(8);
      const view = new Uint8Array(buffer);
      const options = {
        get length() {
          structuredClone(buffer, { transfer: [buffer] });
          return 8;
        },
      };
      assert.throws(() => calls[call](fd, view, options), { code: /^ERR_(?:OUT_OF_RANGE|INVALID_ARG_VALUE)$/ });
    }
    fs.closeSync(fd);
    assert.equal(fs.readFileSync("/f", "utf8"), "contents");
  });

  test("that the options shrink is written as far as it is left", () => {
    const Resizable = ArrayBuffer as unknown as new (
      size: number,
      options: { maxByteLength: number },
    ) => ArrayBuffer & { resize(size: number): void };
    const buffer = new Resizable(8, { maxByteLength: 8 });
    const view = new Uint8Array(buffer).fill(0x61);
    const fd = fs.openSync("/f", "w");
    const options = {
      get position() {
        buffer.resize(2);
        return 0;
      },
    };
    assert.throws(() => calls.writeSync(fd, view, options), { code: "ERR_OUT_OF_RANGE" });
    assert.equal(calls.writeSync(fd, view), 2);
    fs.closeSync(fd);
    assert.equal(fs.readFileSync("/f", "utf8"), "aa");
  });

  test("that a function of readFile's buffer option returns takes no more than it has", () => {
    assert.throws(() => calls.readFileSync("/f", { buffer: lying("....") }), { code: "ERR_INVALID_ARG_VALUE" });
    const read = calls.readFileSync("/f", { buffer: () => lying("........") }) as Buffer;
    assert.equal(read.toString(), "contents");
  });
});

describe("arrays that lie", () => {
  /** An array that says it has `length` elements the first time, and one the next. */
  function lyingArray<T>(elements: readonly T[], length: number): T[] {
    let reads = 0;
    return new Proxy([...elements], {
      get: (target, key) => (key === "length" ? (reads++ === 0 ? elements.length : length) : Reflect.get(target, key)),
    });
  }

  test("are groups as long as they said first", () => {
    fs.writeFileSync("/g", "", { mode: 0o040 });
    fs.chownSync("/g", 0, 0x53535353);
    const context = vfs.context({ uid: 1000, gid: 1000, groups: lyingArray([7], 20) });
    assert.throws(() => context.fs.accessSync("/g", 4), { code: "EACCES" });
  });

  // Fails when the buffers are what the array's own methods return: a number of stale bytes that the caller chooses.
  test("are the buffers at their indexes, whatever their methods and iterators return", () => {
    const liar = { length: 20 };
    const methods = {
      every: () => true,
      map: () => [liar],
      slice: () => [liar],
      [Symbol.iterator]: () => [liar][Symbol.iterator](),
      constructor: { [Symbol.species]: () => ({ length: 1, 0: liar }) },
    };
    const lyingMethods = <T extends NodeJS.ArrayBufferView>(views: T[]): T[] => Object.assign([...views], methods);
    const fd = fs.openSync("/f", "w+");
    assert.equal(fs.writevSync(fd, lyingMethods([lying("abc"), lying("de")])), 5);
    assert.equal(fs.readFileSync("/f", "utf8"), "abcde");
    const views = [new Uint8Array(2), new Uint8Array(8)];
    assert.equal(fs.readvSync(fd, lyingMethods(views), 0), 5);
    assert.deepEqual(
      views.map((view) => Buffer.from(view).toString()),
      ["ab", "cde\0\0\0\0\0"],
    );
    fs.closeSync(fd);
  });

  test("are as many buffers as they said first", () => {
    const fd = fs.openSync("/f", "w+");
    assert.equal(fs.writevSync(fd, lyingArray([Buffer.from("abc")], 20)), 3);
    assert.equal(fs.writevSync(fd, lyingArray([], 1)), 0);
    fs.closeSync(fd);
  });

  test("are ACL entries as many as they said first", () => {
    const entries = [
      { tag: 1, perm: 7 },
      { tag: 4, perm: 7 },
      { tag: 32, perm: 7 },
    ];
    vfs.setfacl("/f", lyingArray(entries, 30));
    assert.equal(vfs.getfacl("/f").length <= 3, true);
  });
});

// Fails when a path is checked in the caller's bytes, and then copied: the core takes its name to end at the NUL.
test("a path in shared memory is checked as it is used, while another thread writes a NUL into it", async () => {
  const bytes = new Uint8Array(new SharedArrayBuffer(4));
  bytes.set(new TextEncoder().encode("/ax/"));
  const [, codes] = await threads<[undefined, string[]], { bytes: Uint8Array }>(
    vfs.handle,
    200,
    [
      (_vfs, _raw, running, { bytes }) => {
        while (running()) for (let n = 0; n < 1000; n++) Atomics.store(bytes, 2, n & 1 ? 0 : 0x78);
      },
      (vfs, _raw, running, { bytes }) => {
        const codes = new Set<string>();
        let last = "";
        while (running()) {
          // A round has many changes between two calls, unless the threads take turns on one processor.
          for (let n = 0, changes = 0; n < 4000 && changes < 40; n++) {
            let code = "EEXIST";
            try {
              vfs.fs.mkdirSync(bytes as never);
            } catch (error) {
              code = (error as { code: string }).code;
            }
            codes.add(code);
            if (code !== last) changes++;
            last = code;
          }
        }
        return [...codes];
      },
    ],
    { bytes },
  );
  for (const code of codes) assert.ok(code === "EEXIST" || code === "ERR_INVALID_ARG_VALUE", code);
  assert.ok(!fs.readdirSync("/").includes("a"));
});
