/** Memory that is short while a tree remembers much of drivers: what nobody uses is forgotten before any call fails. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { ACL_TAG, createVfs, type Driver, type Vfs } from "../../../../dist/src/index.js";
import type { TestScope } from "../../../support/hooked-vfs.js";
import { type ThreadBody, threads } from "../../../support/threads.js";

const SIZE = 2 << 20;
/** Of a tree for three threads. */
const SHARED_SIZE = 4 << 20;
/** More names than fit into that. */
const MANY = SIZE / 128;

/** Every name below its root exists, but for those that begin with "no". A worker makes it from its text too. */
function anyName(): Driver {
  return {
    name: "any",
    root: () => ({ ino: 1, mode: 0o40755 }),
    lookup(_dir, name) {
      let ino = 2;
      for (let i = 0; i < name.length; i++) ino = (ino * 31 + name.charCodeAt(i)) % 2 ** 40;
      return name.startsWith("no") ? null : { ino: ino + 2, mode: 0o100644 };
    },
  };
}

/** A tree whose limits of names never hold, with a driver at /m. */
async function unlimited(t: TestScope, hooks: Partial<Driver> = {}): Promise<Vfs> {
  const limits = { maxPositiveDentries: 2 ** 31 - 1, maxNegativeDentries: 2 ** 31 - 1 };
  const vfs = await createVfs({ maxBytes: SIZE, ...limits });
  t.after(() => vfs.close());
  vfs.registerDriver({ ...anyName(), ...hooks });
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "any");
  return vfs;
}

/** How often each call finds the memory full. */
const ROUNDS = 3;

let named = 0;

/** Looks up names until the memory is full of them: the next chunk has to come from what is there. */
function fill(vfs: Vfs): void {
  const { shrunkDentries } = vfs.counters();
  for (let n = 0; n < 2 * MANY; n++) {
    vfs.fs.existsSync(`/m/${n % 2 ? "no" : "yes"}-${named++}`);
    if (n % 64 !== 0) continue;
    const { chunksUsed, chunksMax, shrunkDentries: now } = vfs.counters();
    if (chunksUsed >= chunksMax - 3 || now > shrunkDentries) return;
  }
  assert.fail("the memory did not fill up");
}

/** Calls that need memory of one kind or another, each with what it does again and again. */
const CALLS: Record<string, (vfs: Vfs, n: number) => void> = {
  "a name that is looked up": ({ fs }, n) => void fs.existsSync(`/m/no-more-${n}`),
  "a long name that is looked up": ({ fs }, n) => void fs.existsSync(`/m/no-${"n".repeat(200)}-${n}`),
  "a file that is looked up": ({ fs }, n) => void fs.statSync(`/m/file-${n}`),
  "empty files": ({ fs }, n) => fs.closeSync(fs.openSync(`/f${n}`, "wx")),
  directories: ({ fs }, n) => fs.mkdirSync(`/d${n}`),
  links: ({ fs }, n) => fs.symlinkSync(`${n}`.repeat(100), `/l${n}`),
  contents: ({ fs }, n) => fs.writeFileSync(`/c${n}`, "c".repeat(20_000)),
  "an extended attribute": ({ linux }, n) => linux.setxattrSync("/m/..", `user.${n}`, Buffer.alloc(50)),
  ACLs: (vfs, n) => {
    vfs.fs.mkdirSync(`/a${n}`);
    const entries = [
      { tag: ACL_TAG.USER_OBJ, perm: 7 },
      { tag: ACL_TAG.USER, id: n, perm: 7 },
      { tag: ACL_TAG.GROUP_OBJ, perm: 7 },
      { tag: ACL_TAG.MASK, perm: 7 },
      { tag: ACL_TAG.OTHER, perm: 7 },
    ];
    vfs.setfacl(`/a${n}`, entries);
  },
  pipes: (vfs, n) => {
    vfs.linux.mkfifoSync(`/p${n}`);
    vfs.fs.closeSync(vfs.fs.openSync(`/p${n}`, "r+"));
  },
  mounts: (vfs, n) => {
    vfs.fs.mkdirSync(`/mnt${n}`);
    vfs.mount(null, `/mnt${n}`, "tmpfs");
  },
};

// Fails without shrink() in makeSpace(): ENOSPC.
for (const [what, call] of Object.entries(CALLS)) {
  test(`row 121: ${what}: names that nobody uses make room`, async (t) => {
    const vfs = await unlimited(t);
    for (let n = 0; n < ROUNDS; n++) {
      fill(vfs);
      call(vfs, n);
    }
    const { failedAllocations, shrunkDentries } = vfs.counters();
    assert.equal(failedAllocations, 0);
    assert.ok(shrunkDentries > 0);
    assert.deepEqual(check(vfs.handle.memory).problems, []);
  });
}

/** Counts the rounds and errors of a thread. */
interface Done {
  rounds: number;
  errors: string[];
}

/** Asks for names that do not exist. */
const asker: ThreadBody<{ names: number; driver: string }> = (vfs, _raw, running, { names, driver }) => {
  vfs.registerDriver(new Function(`return (${driver})()`)());
  const done = { rounds: 0, errors: [] as string[] };
  for (let n = 0; n < names; n++) {
    if (n % 1000 === 0) running();
    try {
      vfs.fs.statSync(`/m/no-${n}`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") done.errors.push(String(code));
    }
    done.rounds++;
  }
  return done;
};

/** Works with files in memory, and looks up the same files of the driver all the time. */
const worker: ThreadBody<{ names: number; driver: string }> = (vfs, _raw, running, { driver }) => {
  let asked = 0;
  const made = new Function(`return (${driver})()`)();
  const lookup = made.lookup;
  made.lookup = (dir: number, name: string) => {
    asked++;
    return lookup(dir, name);
  };
  vfs.registerDriver(made);
  const done = { rounds: 0, errors: [] as string[] };
  const contents = "c".repeat(5000);
  for (let n = 0; running(); n++) {
    try {
      for (let k = 0; k < 100; k++) vfs.fs.statSync(`/m/file-${k}`);
      vfs.fs.mkdirSync(`/dir-${n % 7}`, { recursive: true });
      for (let k = 0; k < 20; k++) vfs.fs.writeFileSync(`/dir-${n % 7}/file-${k}`, contents);
      vfs.fs.rmSync(`/dir-${n % 7}`, { recursive: true });
    } catch (error) {
      done.errors.push(String((error as NodeJS.ErrnoException).code ?? error));
    }
    done.rounds++;
  }
  return { ...done, asked };
};

// Fails when pruneKind() does not shrink (the memory that other threads need is gone, and files are asked for again), and when names that do
// not exist share the list and the limit of files.
test("row 121: 200,000 names that do not exist, many times what the memory holds, cost no other thread a call or a file", async (t) => {
  const vfs = await createVfs({ maxBytes: SHARED_SIZE });
  t.after(() => vfs.close());
  vfs.registerDriver(anyName());
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "any");
  const data = { names: 200_000, driver: anyName.toString() };
  type Results = [Done, Done & { asked: number }];
  const [asking, working] = await threads<Results, typeof data>(vfs.handle, 0, [asker, worker], data);
  assert.deepEqual([asking.errors, working.errors], [[], []]);
  assert.equal(asking.rounds, data.names);
  assert.ok(working.rounds > 0);
  assert.equal(working.asked, 100, "the driver is asked for each file once");
  const { negativeDentries, failedAllocations } = vfs.counters();
  assert.ok(negativeDentries <= 32 * (SHARED_SIZE >> 16) + 64, `${negativeDentries} names`);
  assert.equal(failedAllocations, 0);
  assert.deepEqual(check(vfs.handle.memory).problems, []);
});

// Fails when shrink() has no round for dentries whose end calls a hook.
test("row 121: names of a driver that has to be told of their end make room too", async (t) => {
  let ended = 0;
  const vfs = await unlimited(t, {
    iput() {
      ended++;
    },
  });
  for (let n = 0; n < ROUNDS; n++) {
    fill(vfs);
    vfs.fs.writeFileSync(`/c${n}`, "c".repeat(20_000));
  }
  assert.ok(ended > 0);
  assert.equal(vfs.counters().failedAllocations, 0);
  assert.deepEqual(check(vfs.handle.memory).problems, []);
});
