/** Extended attributes. What the calls return is held to the kernel in test/conformance/linux/. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { createVfs, OPEN_FLAGS, type Vfs } from "../../../../dist/src/index.js";
import { codeOf, refused } from "../../../support/errors.js";

async function tree(t: TestContext, maxBytes = 8 << 20): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes });
  t.after(() => {
    assert.deepEqual(check(vfs.handle.memory).problems, []);
    vfs.close();
  });
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/f", "f");
  vfs.fs.symlinkSync("f", "/l");
  return vfs;
}

describe("extended attributes", () => {
  test("are set, replaced, listed and removed", async (t) => {
    const vfs = await tree(t);
    const { linux } = vfs;
    for (const file of ["/f", "/d", vfs.fs.openSync("/f", "r+")]) {
      linux.setxattrSync(file, "user.b", "first");
      await linux.setxattr(file, "user.a", new Uint8Array([1, 0, 255]), { create: true });
      linux.setxattrSync(file, "user.b", "x".repeat(65_536), { replace: true });
      assert.deepEqual(linux.listxattrSync(file), ["user.a", "user.b"]);
      assert.deepEqual([...(await linux.getxattr(file, "user.a"))], [1, 0, 255]);
      assert.equal(`${linux.getxattrSync(file, "user.b")}`, "x".repeat(65_536));
      assert.deepEqual(check(vfs.handle.memory).problems, []);
      refused("EEXIST", () => linux.setxattrSync(file, "user.a", "", { create: true }));
      refused("ENODATA", () => linux.setxattrSync(file, "user.c", "", { replace: true }));
      refused("E2BIG", () => linux.setxattrSync(file, "user.a", "x".repeat(65_537)));
      linux.removexattrSync(file, "user.b");
      await linux.removexattr(file, "user.a");
      assert.deepEqual(await linux.listxattr(file), []);
      refused("ENODATA", () => linux.getxattrSync(file, "user.a"));
    }
  });

  test("of other namespaces need a privilege; links and special files have none of the user's", async (t) => {
    const vfs = await tree(t);
    vfs.linux.setxattrSync("/f", "trusted.t", "1");
    vfs.linux.setxattrSync("/l", "trusted.l", "2", { nofollow: true });
    vfs.fs.chmodSync("/f", 0o666);
    const user = vfs.context({ uid: 1000, gid: 1000 });
    user.linux.setxattrSync("/f", "user.u", "3");
    assert.deepEqual(user.linux.listxattrSync("/f"), ["user.u"]);
    assert.deepEqual(vfs.linux.listxattrSync("/f"), ["trusted.t", "user.u"]);
    assert.deepEqual(vfs.linux.listxattrSync("/l", { nofollow: true }), ["trusted.l"]);
    refused("ENODATA", () => user.linux.getxattrSync("/f", "trusted.t"));
    refused("EPERM", () => user.linux.setxattrSync("/f", "trusted.t", ""));
    refused("EPERM", () => vfs.linux.setxattrSync("/l", "user.l", "", { nofollow: true }));
    refused("ENOTSUP", () => vfs.linux.setxattrSync("/f", "system.other", ""));
    refused("EACCES", () => user.linux.setxattrSync("/d", "user.u", ""));
    user.close();
  });

  test("end with their file", async (t) => {
    const vfs = await tree(t, 3 << 20);
    const { fs, linux } = vfs;
    const big = "x".repeat(65_000);
    for (let n = 0; n < 200; n++) {
      fs.writeFileSync("/g", "");
      for (const name of ["user.a", "user.b", "user.c"]) linux.setxattrSync("/g", name, big);
      linux.setxattrSync("/g", "user.a", "");
      fs.unlinkSync("/g");
    }
  });

  test("that find no room leave the old ones (ENOSPC)", async (t) => {
    const { fs, linux } = await tree(t, 3 << 20);
    linux.setxattrSync("/f", "user.a", "old");
    const full = fs.openSync("/full", "w");
    while (codeOf(() => fs.writeSync(full, "z".repeat(60_000))) === undefined);
    refused("ENOSPC", () => linux.setxattrSync("/f", "user.a", "x".repeat(65_000)));
    assert.equal(`${linux.getxattrSync("/f", "user.a")}`, "old");
    linux.removexattrSync("/f", "user.a");
  });

  test("arguments are checked", async (t) => {
    const { fs, linux } = await tree(t);
    const bad: [code: string, run: () => unknown][] = [
      ["ERR_INVALID_ARG_TYPE", () => linux.setxattrSync({} as never, "user.a", "")],
      ["ERR_INVALID_ARG_TYPE", () => linux.setxattrSync("/f", 1 as never, "")],
      ["ERR_INVALID_ARG_VALUE", () => linux.setxattrSync("/f", "user.\0", "")],
      ["ERR_INVALID_ARG_TYPE", () => linux.setxattrSync("/f", "user.a", 1 as never)],
      ["ERR_INVALID_ARG_VALUE", () => linux.setxattrSync("/f", "user.a", "", { follow: true } as never)],
      ["ERR_INVALID_ARG_VALUE", () => linux.getxattrSync("/f", "user.a", { create: true } as never)],
      ["ERANGE", () => linux.setxattrSync("/f", "", "")],
      ["ERANGE", () => linux.getxattrSync("/f", "user.".padEnd(5000, "x"))],
      ["EBADF", () => linux.listxattrSync(99)],
      ["EBADF", () => linux.listxattrSync(fs.openSync("/f", OPEN_FLAGS.O_PATH))],
      ["ENOENT", () => linux.listxattrSync("/nothing")],
    ];
    for (const [n, [code, run]] of bad.entries()) refused(code, run, `${n}`);
    await assert.rejects(linux.getxattr("/f", "user.a"), { code: "ENODATA", syscall: "getxattr", path: "/f" });
  });
});
