/** Memory that runs out, the arena full in every way: ENOSPC, nothing is lost, removing works, the room comes back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { CHUNK } from "../../../dist/abi/limits.js";
import type { Context } from "../../../dist/src/api/context.js";
import { createVfs, type FsSync, type Vfs } from "../../../dist/src/index.js";
import { gauges } from "../../support/counters.js";
import { codeOf } from "../../support/errors.js";
import type { TestScope } from "../../support/hooked-vfs.js";

const SMALL = 4 << 20;
/** How often an arena is filled, emptied and filled again. */
const ROUNDS = 3;
/** More objects than an arena of that size can hold: a loop that gets here would never end. */
const MANY = 100_000;

async function small(t: TestScope, maxBytes = SMALL): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes });
  t.after(() => vfs.close());
  return vfs;
}

/** Contents that only file i has. */
function text(i: number, length: number): string {
  return `${i} `.repeat(Math.ceil(length / 2)).slice(0, length);
}

/** A way to fill a tree: makes the i-th object, checks that it is as it was made, removes it. */
interface Kind {
  make(vfs: Vfs, i: number): void;
  check(vfs: Vfs, i: number): void;
  remove(vfs: Vfs, i: number): void;
  /** Makes what the objects need. */
  prepare?(vfs: Vfs): void;
  /** Checks the tree with n objects. */
  after?(vfs: Vfs, n: number): void;
  /** Largest number of objects. */
  most?: number;
  /** Size of the arena. */
  bytes?: number;
}

const KINDS: Record<string, Kind> = {
  "empty files": {
    make: ({ fs }, i) => fs.closeSync(fs.openSync(`/d/${i}`, "wx")),
    check: ({ fs }, i) => assert.equal(fs.statSync(`/d/${i}`).size, 0),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${i}`),
  },
  "small files": {
    make: ({ fs }, i) => fs.writeFileSync(`/d/${i}`, text(i, 100)),
    check: ({ fs }, i) => assert.equal(fs.readFileSync(`/d/${i}`, "latin1"), text(i, 100)),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${i}`),
  },
  "long names": {
    make: ({ fs }, i) => fs.closeSync(fs.openSync(`/d/${"n".repeat(200)}${i}`, "wx")),
    check: ({ fs }, i) => assert.ok(fs.statSync(`/d/${"n".repeat(200)}${i}`).isFile()),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${"n".repeat(200)}${i}`),
  },
  "big contents": {
    make: ({ fs }, i) => fs.writeFileSync(`/d/${i}`, text(i, 100_000)),
    check: ({ fs }, i) => assert.equal(fs.readFileSync(`/d/${i}`, "latin1"), text(i, 100_000)),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${i}`),
  },
  directories: {
    make: ({ fs }, i) => fs.mkdirSync(`/d/${i}`),
    check: ({ fs }, i) => assert.equal(fs.statSync(`/d/${i}`).nlink, 2),
    remove: ({ fs }, i) => fs.rmdirSync(`/d/${i}`),
  },
  "symbolic links": {
    make: ({ fs }, i) => fs.symlinkSync(text(i, 60), `/d/${i}`),
    check: ({ fs }, i) => assert.equal(fs.readlinkSync(`/d/${i}`), text(i, 60)),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${i}`),
  },
  "hard links": {
    prepare({ fs }) {
      for (let k = 0; k < 100; k++) fs.writeFileSync(`/to-${k}`, `${k}`);
    },
    make: ({ fs }, i) => fs.linkSync(`/to-${i % 100}`, `/d/${i}`),
    check: ({ fs }, i) => assert.equal(fs.readFileSync(`/d/${i}`, "latin1"), `${i % 100}`),
    remove: ({ fs }, i) => fs.unlinkSync(`/d/${i}`),
    after({ fs }, n) {
      for (let k = 0; k < 100; k++) assert.equal(fs.statSync(`/to-${k}`).nlink, 1 + Math.ceil((n - k) / 100));
    },
  },
  mounts: {
    prepare({ fs }) {
      for (let i = 0; i < 2500; i++) fs.mkdirSync(`/d/${i}`);
    },
    most: 2500,
    bytes: 2 << 20,
    make: (vfs, i) => vfs.mount("none", `/d/${i}`, "tmpfs"),
    check: ({ fs }, i) => assert.equal(fs.statSync(`/d/${i}`).mode & 0o1777, 0o1777),
    remove: (vfs, i) => vfs.umount(`/d/${i}`),
  },
};

const kindOf = (name: string): Kind => defined(KINDS[name], `kind ${name}`);

/** Makes objects until there is no room; returns how many. Removes an object that an operation of two steps left half made. */
function fill(vfs: Vfs, kind: string): number {
  const { make, remove, most = MANY } = kindOf(kind);
  for (let i = 0; i < most; i++) {
    const code = codeOf(() => make(vfs, i));
    if (code === undefined) continue;
    assert.equal(code, "ENOSPC", kind);
    const left = codeOf(() => remove(vfs, i));
    assert.ok(left === undefined || ["ENOENT", "EINVAL"].includes(left), `${kind}: ${left}`);
    return i;
  }
  return most;
}

for (const [kind, { prepare, check, remove, after, most, bytes }] of Object.entries(KINDS)) {
  test(`an arena full of ${kind} loses none of them, lets them be removed and has its room back`, async (t) => {
    const vfs = await small(t, bytes);
    vfs.fs.mkdirSync("/d");
    prepare?.(vfs);
    // The first open file takes its two chunks before the test counts.
    vfs.fs.readdirSync("/d");
    const level = gauges(vfs);
    let first: number | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      const n = fill(vfs, kind);
      first ??= n;
      assert.ok(n >= 10 && n >= first * 0.9, `round ${round}: ${n} of ${first}`);
      assert.notEqual(n, most, "it was filled");
      for (let i = 0; i < n; i++) check(vfs, i);
      if (prepare === undefined) assert.equal(vfs.fs.readdirSync("/d").length, n);
      after?.(vfs, n);
      for (let i = 0; i < n; i += 2) remove(vfs, i);
      for (let i = 1; i < n; i += 2) check(vfs, i);
      for (let i = 1; i < n; i += 2) remove(vfs, i);
      if (prepare === undefined) assert.deepEqual(vfs.fs.readdirSync("/d"), []);
      assert.deepEqual(gauges(vfs), level);
    }
  });
}

test("the memory grows by whole huge pages, up to the last chunk of its limit", async (t) => {
  const HUGE = 2 << 20;
  for (const maxBytes of [SMALL, 3 * HUGE + 5 * CHUNK, 3 * HUGE + 5 * CHUNK + 1]) {
    const { fs, handle } = await small(t, maxBytes);
    const most = maxBytes - (maxBytes % CHUNK);
    const size = () => handle.memory.buffer.byteLength;
    const sizes = new Set([size()]);
    for (let i = 0; i < MANY && codeOf(() => fs.writeFileSync(`/${i}`, text(i, 4000))) === undefined; i++)
      sizes.add(size());
    assert.equal(size(), most);
    for (const bytes of sizes) assert.ok(bytes % HUGE === 0 || bytes === most, `${bytes} of ${maxBytes}`);
  }
});

test("a file that grows until there is no room keeps its contents and can be cut and grown again", async (t) => {
  const vfs = await small(t);
  const { fs } = vfs;
  const piece = Buffer.alloc(10_000, "abcdefghij");
  let first: number | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    const fd = fs.openSync("/f", "a+");
    let size = 0;
    for (let n = 0; n < MANY; n++) {
      let wrote = 0;
      const code = codeOf(() => {
        wrote = fs.writeSync(fd, piece);
      });
      size += wrote;
      if (code === undefined) continue;
      assert.equal(code, "ENOSPC");
      break;
    }
    first ??= size;
    assert.ok(size >= first * 0.9 && size > 1 << 20, `${size} of ${first}`);
    assert.equal(fs.fstatSync(fd).size, size);
    const all = fs.readFileSync("/f");
    assert.equal(all.length, size);
    for (let at = 0; at < size; at++) if (all[at] !== piece[at % 10]) assert.fail(`byte ${at}`);
    fs.ftruncateSync(fd, 5);
    assert.equal(fs.readFileSync("/f", "latin1"), "abcde");
    fs.ftruncateSync(fd, 0);
    fs.closeSync(fd);
  }
});

/** Fills the arena in each round, checks that it holds about as many objects every time, closes the contexts: all room comes back. */
async function fillInRounds(
  t: TestScope,
  least: number,
  fillOnce: (vfs: Vfs, contexts: Context[]) => { count: number; check(): void },
): Promise<void> {
  const vfs = await small(t);
  vfs.fs.writeFileSync("/f", "x");
  const level = gauges(vfs);
  let first: number | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    const contexts: Context[] = [];
    const { count, check } = fillOnce(vfs, contexts);
    first ??= count;
    assert.ok(count >= least && count >= first * 0.9, `${count} of ${first}`);
    check();
    for (const context of contexts) context.close();
    assert.deepEqual(gauges(vfs), level);
  }
}

test("an arena full of contexts: each of them works, and closing one makes room", async (t) => {
  await fillInRounds(t, 10, (vfs, contexts) => {
    let code: string | undefined;
    while (contexts.length < 2000 && code === undefined) {
      code = codeOf(() => contexts.push(vfs.context({ uid: contexts.length, groups: [1, 2, 3] })));
    }
    assert.ok(code === "ENOSPC" || code === "ERR_THREADFS_CONTEXTS", code);
    return {
      count: contexts.length,
      check() {
        for (const { fs } of contexts) assert.equal(fs.readFileSync("/f", "latin1"), "x");
      },
    };
  });
});

test("an arena full of descriptors: the open ones work, and closing one makes room", async (t) => {
  await fillInRounds(t, 1000, (vfs, contexts) => {
    const open: [fs: FsSync, fd: number][] = [];
    let code: string | undefined;
    while (code !== "ENOSPC" && contexts.length < 20) {
      const made = codeOf(() => contexts.push(vfs.context()));
      if (made !== undefined) break;
      const { fs } = defined(contexts.at(-1), "context");
      code = undefined;
      while (code === undefined) code = codeOf(() => open.push([fs, fs.openSync("/f", "r")]));
      assert.ok(code === "EMFILE" || code === "ENOSPC", code);
    }
    assert.equal(code, "ENOSPC");
    const into = Buffer.alloc(1);
    return {
      count: open.length,
      check() {
        for (const [fs, fd] of open) assert.equal(fs.readSync(fd, into, 0, 1, 0), 1);
      },
    };
  });
});

test("a full tree can be read, changed in place, and emptied by rm -r", async (t) => {
  const vfs = await small(t);
  const { fs } = vfs;
  fs.mkdirSync("/d");
  fs.mkdirSync("/e");
  const n = fill(vfs, "small files");
  const files = Array.from({ length: n }, (_, i) => i);
  // All memory is used up, not only the sizes that the filling allocates.
  for (const size of [4096, 2048, 1024, 512, 256, 128, 64, 32, 16]) {
    for (const i of files) if (codeOf(() => fs.writeFileSync(`/d/${i}`, text(i, size))) !== undefined) break;
  }
  while (codeOf(() => fs.linkSync("/d/0", `/e/${fs.statSync("/d/0").nlink}`)) === undefined);
  assert.equal(
    codeOf(() => fs.mkdirSync("/new")),
    "ENOSPC",
  );
  assert.equal(
    codeOf(() => fs.symlinkSync("x", "/new")),
    "ENOSPC",
  );
  assert.equal(fs.existsSync("/new"), false);
  assert.equal(fs.readdirSync("/d").length, n);
  fs.chmodSync("/d/1", 0o600);
  fs.utimesSync("/d/1", 1, 2);
  assert.deepEqual([fs.statSync("/d/1").mode & 0o777, fs.statSync("/d/1").mtimeMs], [0o600, 2000]);
  assert.equal(
    codeOf(() => fs.renameSync("/d/1", "/d/2")),
    undefined,
    "onto what is there",
  );
  const fd = fs.openSync("/d/2", "r+");
  assert.equal(fs.writeSync(fd, "Y", 0), 1);
  fs.closeSync(fd);
  assert.equal(fs.readFileSync("/d/2", "latin1")[0], "Y");
  fs.rmSync("/d", { recursive: true });
  fs.rmSync("/e", { recursive: true });
  assert.deepEqual(fs.readdirSync("/"), []);
  fs.mkdirSync("/d");
  assert.ok(fill(vfs, "small files") >= n * 0.9);
});

test("memory freed by contents serves names, and contents again", async (t) => {
  // Not the other way round: memory that once held dentries or inodes never holds anything else (docs/memory.md).
  const vfs = await small(t);
  vfs.fs.mkdirSync("/d");
  const counts = new Map<string, number>();
  for (const kind of ["big contents", "big contents", "symbolic links", "small files", "symbolic links"]) {
    const n = fill(vfs, kind);
    assert.ok(n >= 10, `${kind}: ${n}`);
    const before = counts.get(kind) ?? n;
    counts.set(kind, before);
    assert.ok(n >= before * 0.5, `${kind}: ${n} of ${before}`);
    for (let i = 0; i < n; i++) kindOf(kind).remove(vfs, i);
  }
});

test("a write stops where the room ends, whatever the number of pages", async (t) => {
  const vfs = await small(t);
  const { fs } = vfs;
  // Room for another number of pages each time; the file has exactly the bytes that the call says it wrote.
  fs.writeFileSync("/ballast", Buffer.alloc(200_000));
  const big = fs.openSync("/big", "w");
  while (codeOf(() => fs.writeSync(big, Buffer.alloc(65_536))) === undefined);
  fs.closeSync(big);
  const pattern = Buffer.from(Array.from({ length: 60_000 }, (_, i) => i % 251));
  for (let pages = 0; pages < 20; pages++) {
    fs.truncateSync("/ballast", 200_000 - pages * 4096);
    const fd = fs.openSync("/part", "w+");
    let wrote = 0;
    const code = codeOf(() => {
      wrote = fs.writeSync(fd, pattern);
    });
    assert.ok(code === undefined ? wrote > 0 : code === "ENOSPC", code);
    assert.equal(fs.fstatSync(fd).size, wrote);
    assert.ok(fs.readFileSync("/part").equals(pattern.subarray(0, wrote)), `${pages} pages`);
    fs.closeSync(fd);
    fs.unlinkSync("/part");
    fs.truncateSync("/ballast", 200_000 - pages * 4096);
  }
  assert.equal(fs.statSync("/ballast").size, 200_000 - 19 * 4096);
});
