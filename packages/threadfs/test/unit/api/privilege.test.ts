/** What a context may do is what Linux's capabilities allow, and never more than its maker may do. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { attachVfs, type ContextOptions, type Vfs } from "../../../dist/src/index.js";
import { refused } from "../../support/errors.js";
import { open, tree } from "./trees.js";

const CAP_SETGID = 1 << 6;
const CAP_SETUID = 1 << 7;
const CAP_SYS_MODULE = 1 << 16;
const CAP_SYS_CHROOT = 1 << 18;
const CAP_SYS_ADMIN = 1 << 21;
const ALL = CAP_SETGID | CAP_SETUID | CAP_SYS_MODULE | CAP_SYS_CHROOT | CAP_SYS_ADMIN;

const USER = { uid: 1000, gid: 1000, groups: [7] };

/** An attachment of this thread that has nothing but the handle of a context. */
async function holder(vfs: Vfs, options: ContextOptions): Promise<Vfs> {
  const attached = await attachVfs(vfs.context(options).handle);
  open.push(attached);
  return attached;
}

const rootNode = () => ({ ino: 1, mode: 0o040755 });

/** What needs a capability: with it alone the call succeeds, with all others it fails. */
const PRIVILEGED: [what: string, capability: number, call: (vfs: Vfs) => unknown][] = [
  ["a context of uid 0", CAP_SETUID, (vfs) => vfs.context({ uid: 0 })],
  ["a context of another user", CAP_SETUID, (vfs) => vfs.context({ uid: 1001 })],
  ["a context of gid 0", CAP_SETGID, (vfs) => vfs.context({ gid: 0 })],
  ["a context with a supplementary group as its gid", CAP_SETGID, (vfs) => vfs.context({ gid: 7 })],
  ["a context with other groups", CAP_SETGID, (vfs) => vfs.context({ groups: [0] })],
  ["a context without its maker's groups", CAP_SETGID, (vfs) => vfs.context({ groups: [] })],
  ["a context with another root", CAP_SYS_CHROOT, (vfs) => vfs.context({ root: "/jail" })],
  ["chroot", CAP_SYS_CHROOT, (vfs) => vfs.chroot("/jail")],
  ["mount", CAP_SYS_ADMIN, (vfs) => vfs.mount(null, "/jail", "tmpfs")],
  ["a bind mount", CAP_SYS_ADMIN, (vfs) => vfs.mount("/jail", "/other", "bind")],
  ["moving a mount", CAP_SYS_ADMIN, (vfs) => vfs.mount("/mounted", "/other", "", { move: true })],
  ["umount", CAP_SYS_ADMIN, (vfs) => vfs.umount("/mounted")],
  ["the list of contexts", CAP_SYS_ADMIN, (vfs) => vfs.contexts()],
  ["freeing unused memory", CAP_SYS_ADMIN, (vfs) => vfs.shrink(1)],
  ["registering a driver", CAP_SYS_MODULE, (vfs) => vfs.registerDriver({ name: "new", root: rootNode })],
];

describe("privileged calls", () => {
  for (const [what, capability, call] of PRIVILEGED) {
    test(`${what}: needs capability ${Math.log2(capability)} and no other`, async () => {
      const vfs = await tree();
      for (const dir of ["/jail", "/other", "/mounted"]) vfs.fs.mkdirSync(dir, 0o755);
      vfs.mount(null, "/mounted", "tmpfs");
      const without = await holder(vfs, { ...USER, caps: ALL & ~capability });
      refused("EPERM", () => call(without));
      const none = await holder(vfs, USER);
      refused("EPERM", () => call(none));
      const one = await holder(vfs, { ...USER, caps: capability });
      call(one);
    });
  }
});

describe("contexts of a context", () => {
  test("a context never has a capability that its maker lacks, uid 0 included", async () => {
    const vfs = await tree();
    const maker = await holder(vfs, { ...USER, caps: CAP_SETUID });
    refused("EPERM", () => maker.context({ caps: CAP_SYS_ADMIN }));
    refused("EPERM", () => maker.context({ caps: CAP_SETUID | CAP_SYS_ADMIN }));
    const zero = await attachVfs(maker.context({ uid: 0 }).handle);
    open.push(zero);
    refused("EPERM", () => zero.mount(null, "/", "tmpfs"));
    refused("EPERM", () => zero.context({ gid: 0 }));
    zero.context({ uid: 1234 }).close();
    const powerless = await holder(vfs, { uid: 0, caps: 0 });
    refused("EPERM", () => powerless.context({ uid: 1000 }));
    const same = await attachVfs(powerless.context().handle);
    open.push(same);
    refused("EPERM", () => same.shrink(1));
  });

  test("without options a context is its maker's equal in user, groups, umask and places", async () => {
    const vfs = await tree();
    vfs.fs.mkdirSync("/home", 0o777);
    vfs.fs.chmodSync("/home", 0o777);
    vfs.fs.mkdirSync("/home/group", 0o750);
    vfs.fs.chownSync("/home/group", 0, 7);
    const maker = await holder(vfs, { ...USER, umask: 0o027, root: "/home" });
    const made = maker.context();
    made.fs.writeFileSync("/f", "");
    const { uid, gid, mode } = vfs.fs.statSync("/home/f");
    assert.deepEqual([uid, gid, mode & 0o777], [1000, 1000, 0o640]);
    assert.deepEqual(made.fs.readdirSync("/group"), []);
    assert.equal(made.getcwd(), "/");
  });

  test("root of the tree gives everything, and a user without capabilities nothing", async () => {
    const vfs = await tree();
    vfs.fs.mkdirSync("/shut", 0o700);
    const agent = vfs.context({ ...USER, cwd: "/shut" });
    refused("EACCES", () => agent.fs.readdirSync("."));
    const me = await holder(vfs, USER);
    refused("EACCES", () => me.context({ cwd: "/shut" }));
    for (const options of [{ uid: 0 }, { uid: 0, gid: 0, caps: 0 }, { caps: 1 }])
      refused("EPERM", () => me.context(options));
    me.context({ uid: 1000, gid: 1000, umask: 0o077 }).close();
  });
});

describe("threads that are said to have died", () => {
  test("threadDied() of a running thread is refused without CAP_SYS_ADMIN", async () => {
    const vfs = await tree();
    const me = await holder(vfs, USER);
    refused("EPERM", () => me.threadDied(vfs.threadSlot));
    refused("EPERM", () => me.threadDied(0));
    vfs.fs.writeFileSync("/f", "still there");
    assert.equal(vfs.fs.readFileSync("/f", "utf8"), "still there");
  });

  test("a thread's number is never another's: a report of one that was left does nothing, though its slot is in use again", async () => {
    const vfs = await tree();
    const first = await attachVfs(vfs.handle, { share: false });
    const number = first.threadSlot;
    first.close();
    const second = await attachVfs(vfs.handle, { share: false });
    open.push(second);
    assert.equal(second.threadSlot % 256, number % 256, "the same slot");
    assert.notEqual(second.threadSlot, number);
    vfs.threadDied(number);
    second.fs.writeFileSync("/f", "alive");
    assert.equal(vfs.fs.readFileSync("/f", "utf8"), "alive");
  });
});
