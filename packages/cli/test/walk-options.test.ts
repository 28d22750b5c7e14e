/** The options of `threadfs walk` that change the tree and the walk: limits of openat2, ACLs, flags of mounts, drivers, snapshots. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ACL_TAG, createVfs } from "threadfs";
import { completeAcl, parseAcl } from "../dist/walk/acl-text.js";
import { parseMount } from "../dist/walk/mount-text.js";
import type { WalkReport } from "../dist/walk.js";
import { run } from "./run-command.js";

let tree: string;

before(() => {
  tree = fs.mkdtempSync(join(tmpdir(), "threadfs-walk-options-"));
  fs.chmodSync(tree, 0o755);
  fs.mkdirSync(join(tree, "dir/sub"), { recursive: true });
  fs.mkdirSync(join(tree, "closed"), { mode: 0o700 });
  fs.mkdirSync(join(tree, "odd:ro"));
  fs.writeFileSync(join(tree, "dir/sub/file"), "hello");
  fs.writeFileSync(join(tree, "closed/secret"), "x");
  fs.writeFileSync(join(tree, "odd:ro/covered"), "x");
  fs.symlinkSync("sub/file", join(tree, "dir/link"));
});
after(() => fs.rmSync(tree, { recursive: true }));

/** The report of a walk. */
async function walk(...args: string[]): Promise<WalkReport & { code?: string | undefined; drops: boolean }> {
  const source = args.includes("--snapshot") ? [] : ["--dir", tree];
  const { status, out, err } = await run("walk", ...args, ...source, "--json");
  assert.equal(status, 0, err);
  const report: WalkReport = JSON.parse(out);
  const code = "error" in report.answer ? report.answer.error.code : undefined;
  return { ...report, code, drops: report.steps.some(({ step }) => step === "drop") };
}

describe("--resolve", () => {
  // Fails when the flags do not reach explain().
  test("limits the walk, as openat2", async () => {
    assert.equal((await walk("/dir/link")).code, undefined);
    assert.equal((await walk("/dir/link", "--resolve", "no-symlinks")).code, "ELOOP");
    assert.equal((await walk("/dir/link", "--resolve", "beneath")).code, "EXDEV");
    assert.equal((await walk("dir/sub", "--mount", "dir:bind", "--resolve", "no-symlinks,no-xdev")).code, "EXDEV");
  });
});

describe("--acl", () => {
  // Fails when the ACL is not set, or not completed from the mode.
  test("decides who may search", async () => {
    const user = ["/closed/secret", "--uid", "1000"];
    assert.equal((await walk(...user)).code, "EACCES");
    assert.equal((await walk(...user, "--acl", "/closed=u:1000:x")).code, undefined);
    assert.equal((await walk(...user, "--acl", "/closed=g:1000:--x,m::-")).code, "EACCES");
    assert.equal((await walk("/dir/sub/file", "--uid", "7", "--acl", "dir=u:7:-", "--acl", "/=u:7:rx")).code, "EACCES");
    const { text } = await run("walk", ...user, "--dir", tree, "--acl", "/closed=u:1000:x").then(({ out }) => ({
      text: out,
    }));
    assert.match(text, /ACL/);
  });

  test("a text is parsed as setfacl parses it", () => {
    const { access, default: inherited } = parseAcl("u:7:r-x,group:8:6,m::rwx,d:o::-,default:user::7");
    assert.deepEqual(access, [
      { tag: ACL_TAG.USER, id: 7, perm: 5 },
      { tag: ACL_TAG.GROUP, id: 8, perm: 6 },
      { tag: ACL_TAG.MASK, perm: 7 },
    ]);
    assert.deepEqual(inherited, [
      { tag: ACL_TAG.OTHER, perm: 0 },
      { tag: ACL_TAG.USER_OBJ, perm: 7 },
    ]);
    // The owner, the group and others of the mode, and a mask for the group class.
    assert.deepEqual(completeAcl([{ tag: ACL_TAG.USER, id: 7, perm: 1 }], 0o740), [
      { tag: ACL_TAG.USER_OBJ, perm: 7 },
      { tag: ACL_TAG.USER, id: 7, perm: 1 },
      { tag: ACL_TAG.GROUP_OBJ, perm: 4 },
      { tag: ACL_TAG.MASK, perm: 5 },
      { tag: ACL_TAG.OTHER, perm: 0 },
    ]);
    for (const wrong of ["", "u:7", "x:1:r", "u:root:r", "o:1:r", "u:7:rwxr", "u:7:8", "u:4294967295:r", "u:7:r:w"]) {
      assert.throws(() => parseAcl(wrong), /no entry of an ACL/, wrong);
    }
  });
});

describe("--mount", () => {
  test("takes flags behind the last colon, if all are some, and else a path", async () => {
    assert.equal((await walk("/dir/link", "--mount", "/dir:bind")).code, undefined);
    assert.equal((await walk("/dir/link", "--mount", "/dir:bind,nosymfollow")).code, "ELOOP");
    assert.equal((await walk("/dir/sub", "--mount", "/dir:ro,noexec")).code, "ENOENT");
    // The directory whose name ends like flags.
    assert.equal((await walk("/odd:ro/covered", "--mount", "/odd:ro/")).code, "ENOENT");
    assert.deepEqual(parseMount("/a:b,ro"), { path: "/a:b,ro", bind: false, flags: {} });
    assert.deepEqual(parseMount("/a:b:ro,nodev"), {
      path: "/a:b",
      bind: false,
      flags: { readonly: true, nodev: true },
    });
    assert.deepEqual(parseMount(":ro"), { path: ":ro", bind: false, flags: {} });
  });
});

describe("--driver", () => {
  // Fails when the driver has other files, or another validity.
  test("a walk stays in rcu mode if what the driver has told is good, and leaves it where it asks", async () => {
    const path = "/dir/sub/file";
    const has = async (...options: string[]) => {
      const { drops, answer } = await walk(path, "--driver", "/dir", ...options);
      assert.ok("found" in answer && answer.found.size === 5, JSON.stringify(answer));
      return drops;
    };
    assert.equal(await has(), false);
    assert.equal(await has("--driver-validity", "generation"), false);
    assert.equal(await has("--driver-validity", "revalidate"), true);
    assert.equal(await has("--cold"), true);
  });

  test("has the links of the directory, its mounts and its modes", async () => {
    const { answer } = await walk("/dir/link", "--driver", "/dir", "--mount", "/dir/sub:bind");
    assert.ok("found" in answer && answer.found.size === 5);
    assert.equal((await walk("/closed/secret", "--driver", "/", "--uid", "5")).code, "EACCES");
    assert.equal((await walk("/dir/none", "--driver", "/dir", "--driver", "/dir/sub")).code, "ENOENT");
  });
});

describe("--snapshot", () => {
  // Fails when the tree of the snapshot is not the one that is walked in.
  test("walks in the tree that was saved, with its ACLs", async () => {
    const vfs = await createVfs({ maxBytes: 4 << 20 });
    vfs.fs.mkdirSync("/saved", { mode: 0o700 });
    vfs.fs.writeFileSync("/saved/f", "12345678");
    vfs.setfacl("/saved", completeAcl([{ tag: ACL_TAG.USER, id: 1000, perm: 1 }], 0o700));
    const snapshot = await vfs.snapshot();
    const file = join(tree, "..", `${tree.split("/").at(-1)}.snapshot`);
    fs.writeFileSync(file, await snapshot.bytes());
    vfs.close();
    try {
      const { answer, snapshot: source, entries } = await walk("/saved/f", "--snapshot", file, "--uid", "1000");
      assert.ok("found" in answer && answer.found.size === 8);
      assert.deepEqual([source, entries], [file, 3]);
      assert.equal((await walk("/saved/f", "--snapshot", file, "--uid", "1001")).code, "EACCES");
      const both = await run("walk", "/x", "--snapshot", file, "--dir", tree);
      assert.equal(both.status, 2);
      fs.writeFileSync(file, "no snapshot");
      const damaged = await run("walk", "/x", "--snapshot", file);
      assert.equal(damaged.status, 2);
      assert.match(damaged.err, /ERR_THREADFS_SNAPSHOT: --snapshot/);
    } finally {
      fs.rmSync(file);
    }
  });
});

test("a wrong value is named with its code, and makes the command exit 2", async () => {
  const cases: [args: string[], message: RegExp][] = [
    [["--resolve", "up"], /ERR_INVALID_ARG_VALUE: --resolve up: .*"beneath"/],
    [["--acl", "/dir"], /ERR_INVALID_ARG_VALUE: --acl \/dir: it is like/],
    [["--acl", "/dir=u:root:x"], /ERR_INVALID_ARG_VALUE: --acl \/dir=u:root:x: .*a number/],
    [["--acl", "/none=u:1:x"], /ENOENT: --acl \/none=u:1:x/],
    [["--acl", "/dir/sub=u:1:x", "--driver", "/dir"], /ENOTSUP: --acl/],
    [["--mount", "/none:ro"], /ENOENT: --mount \/none:ro/],
    [["--driver", "/none"], /ENOENT: --driver \/none/],
    [["--driver", "/dir/sub/file"], /ENOTDIR: --driver \/dir\/sub\/file/],
    [["--driver", "/dir", "--driver-validity", "never"], /always, generation, revalidate/],
    [["--snapshot", ""], /must not be empty/],
  ];
  await Promise.all(
    cases.map(async ([args, message]) => {
      const source = args[0] === "--snapshot" ? [] : ["--dir", tree];
      const { status, err } = await run("walk", "/dir", ...source, ...args);
      assert.equal(status, 2, `${args.join(" ")}: ${err}`);
      assert.match(err, message);
    }),
  );
  const none = await run("walk", "/dir", "--snapshot", join(tree, "none"));
  assert.equal(none.status, 2);
  assert.match(none.err, /ENOENT: --snapshot/);
});
