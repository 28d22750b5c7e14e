/** What happens to the caller's buffers in the middle of a call: the host's copies never throw, and never go past what a buffer has. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ERRNO, S_IFREG } from "../../../dist/abi/abi.js";
import { sharedBytes } from "../../../dist/src/bridge/transfer/copy.js";
import { Transfer } from "../../../dist/src/bridge/transfer/transfer.js";
import { createVfs } from "../../../dist/src/index.js";
import { memoryDriver, mountDriver, ROOT } from "../../support/drivers/memory-driver.js";

const PAGE = 65536;

/** A transfer over a memory of one page, whose bytes count up. */
function transferOf(): { transfer: Transfer; bytes: Uint8Array } {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const bytes = new Uint8Array(memory.buffer).map((_, at) => at & 0xff);
  new Uint8Array(memory.buffer).set(bytes);
  return { transfer: new Transfer(sharedBytes(memory as unknown as Parameters<typeof sharedBytes>[0])), bytes };
}

/** A resizable buffer of 10 bytes, which may become twice as long. */
const resizable = (): ArrayBuffer & { resize(bytes: number): void } =>
  new (ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer & { resize(n: number): void })(
    10,
    {
      maxByteLength: 20,
    },
  );

/** What happens to the first of two buffers when it has taken 4 of its 10 bytes, and whether the call can go on. */
const CHANGES: [name: string, change: (buffer: ReturnType<typeof resizable>) => void, goesOn: boolean][] = [
  ["nothing", () => {}, true],
  ["it shrinks below what it has taken", (buffer) => buffer.resize(2), false],
  ["it shrinks", (buffer) => buffer.resize(6), false],
  ["it is transferred away", (buffer) => void structuredClone(buffer, { transfer: [buffer] }), false],
  ["it grows", (buffer) => buffer.resize(20), true],
];

describe("a buffer in the middle of a call", () => {
  for (const [name, change, goesOn] of CHANGES) {
    // Fails if the length that a buffer has now decides where the next byte belongs.
    test(`${name}: reads and writes ${goesOn ? "go on behind it" : "end with EFAULT"}`, () => {
      const { transfer, bytes } = transferOf();
      const first = resizable();
      const second = new Uint8Array(10);
      const result = transfer.run([new Uint8Array(first), second], (length) => {
        assert.equal(length, 20);
        assert.equal(transfer.copyToUser(100, 4), 0);
        change(first);
        return transfer.copyToUser(104, 16);
      });
      assert.equal(result, goesOn ? 0 : -ERRNO.EFAULT);
      assert.deepEqual([...second], goesOn ? [...bytes.subarray(110, 120)] : [...new Uint8Array(10)]);

      const from = resizable();
      new Uint8Array(from).fill(1);
      const wrote = transfer.run([new Uint8Array(from), second.fill(2)], () => {
        assert.equal(transfer.copyFromUser(200, 4), 0);
        change(from);
        return transfer.copyFromUser(204, 16);
      });
      assert.equal(wrote, goesOn ? 0 : -ERRNO.EFAULT);
      transfer.run([new Uint8Array(20)], () => transfer.copyToUser(200, 20));
    });
  }

  test("may be shared memory, and holes are zeros in it", () => {
    const { transfer, bytes } = transferOf();
    const into = new Uint8Array(new SharedArrayBuffer(5000)).fill(9);
    transfer.run([into], () => transfer.copyToUser(0, 1000) + transfer.copyToUser(PAGE - 3000, 3000));
    assert.deepEqual(
      [...into.subarray(0, 1000)],
      Array.from({ length: 1000 }, () => 0),
    );
    assert.deepEqual([...into.subarray(1000, 4000)], [...bytes.subarray(PAGE - 3000)]);
    assert.deepEqual(
      [...into.subarray(4000)],
      Array.from({ length: 1000 }, () => 9),
    );
  });

  test("none is EFAULT, also where more is copied than was said", () => {
    const { transfer } = transferOf();
    assert.equal(transfer.copyToUser(0, 1), -ERRNO.EFAULT);
    assert.equal(transfer.copyFromUser(0, 1), -ERRNO.EFAULT);
    assert.equal(
      transfer.run([new Uint8Array(3)], () => transfer.copyToUser(0, 4)),
      -ERRNO.EFAULT,
    );
    assert.equal(transfer.copyToUser(0, 1), -ERRNO.EFAULT, "the buffers of a call that has ended are forgotten");
  });
});

describe("the buffer", () => {
  test("of a file is made once, and what its making throws is thrown when the core has returned", () => {
    const { transfer, bytes } = transferOf();
    let made = 0;
    const offered: number[][] = [];
    const sink = {
      take: (from: number, length: number) => {
        offered.push([from, length]);
        return length === 7;
      },
      make: () => {
        made++;
        return new Uint8Array(8);
      },
    };
    transfer.beginFile(sink);
    assert.equal(transfer.copyToUser(3, 5), 0);
    assert.equal(transfer.copyToUser(8, 3), 0);
    assert.deepEqual(transfer.endFile(), bytes.slice(3, 11));
    transfer.beginFile(sink);
    assert.equal(transfer.copyToUser(3, 7), 0);
    assert.equal(transfer.endFile(), undefined, "the sink has taken them");
    assert.deepEqual(offered, [
      [3, 5],
      [3, 7],
    ]);
    assert.equal(made, 1);
    const full = new RangeError("Array buffer allocation failed");
    transfer.beginFile({
      ...sink,
      make: () => {
        throw full;
      },
    });
    assert.equal(transfer.copyToUser(3, 5), -ERRNO.EFAULT);
    assert.throws(
      () => transfer.endFile(),
      (error) => error === full,
    );
    transfer.beginFile(sink);
    assert.equal(transfer.endFile(), undefined, "no byte has come");
    assert.equal(transfer.copyToUser(3, 1), -ERRNO.EFAULT);
  });
});

test("a read of a driver's file whose hook takes the buffer away or shrinks it fails with EFAULT, at any length", async (t) => {
  const vfs = await createVfs({ maxBytes: 8 << 20 });
  t.after(() => vfs.close());
  const { driver, make } = memoryDriver("plain", ["lookup", "read"]);
  make(ROOT, "f", S_IFREG | 0o644, { text: "x".repeat(200_000) });
  mountDriver(vfs, driver);
  const fd = vfs.fs.openSync("/m/f");
  const read = driver.on;
  for (const size of [10, 5000, 150_000]) {
    for (const way of ["transfer", "resize"] as const) {
      const buffer = new (ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer)(size, {
        maxByteLength: size,
      });
      read.read = (_ino, _offset, into) => {
        if (way === "transfer" && buffer.byteLength > 0) structuredClone(buffer, { transfer: [buffer] });
        if (way === "resize") (buffer as ArrayBuffer & { resize(bytes: number): void }).resize(1);
        return into.fill(97).length;
      };
      const view = new Uint8Array(buffer);
      assert.throws(() => vfs.fs.readSync(fd, view, 0, size, 0), { code: "EFAULT" }, `${way} of ${size} bytes`);
    }
  }
  // Calls go on as before.
  read.read = (_ino, _offset, into) => into.fill(98).length;
  assert.equal(vfs.fs.readSync(fd, new Uint8Array(100_000), 0, 100_000, 0), 100_000);
});
