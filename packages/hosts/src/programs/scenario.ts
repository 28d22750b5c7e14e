/** What two threads do on one tree, in every host: the part that does not depend on how the host starts threads. */
import type { AttachOptions, CreateOptions, FsSync, Vfs } from "threadfs";

/** Longest time to wait for another thread, in ms: ends a program that hangs on a busy machine, too. */
export const PATIENCE_MS = 300_000;

export function expect(what: string, got: unknown, wanted: unknown): void {
  if (got !== wanted) throw new Error(`${what}: ${String(got)} instead of ${String(wanted)}`);
}

/** What the main thread does first. */
export function prepare(fs: FsSync): void {
  fs.mkdirSync("/shared/moved", { recursive: true });
  fs.writeFileSync("/shared/from-main", "written by the main thread, \u00fc");
}

/** Attaches the calling thread twice more, with one id: where the host has Web Locks, the thread's lock must be no obstacle. */
export async function attachTwice(attach: (options: AttachOptions) => Promise<Vfs>): Promise<void> {
  const options = { share: false, thread: 1_000_000, locks: true };
  const [one, other] = [await attach(options), await attach(options)];
  one.close();
  expect("a second attachment finds a file", other.fs.existsSync("/shared/from-main"), true);
  other.close();
}

/** A tree of the snapshot of this one has its files. */
export async function saveAndLoad(vfs: Vfs, create: (options: CreateOptions) => Promise<Vfs>): Promise<void> {
  const snapshot = await vfs.snapshot();
  const again = await create({ maxBytes: 1 << 24, snapshot: await snapshot.bytes() });
  snapshot.close();
  expect(
    "a file of the snapshot",
    again.fs.readFileSync("/shared/from-main", "utf8"),
    "written by the main thread, \u00fc",
  );
  again.close();
}

/** What each worker does: it reads what the main thread wrote, and writes. */
export function reply(fs: FsSync, name: string): void {
  expect("a worker reads", fs.readFileSync("/shared/from-main", "utf8"), "written by the main thread, \u00fc");
  fs.writeFileSync(`/shared/from-${name}`, name);
  let code: unknown;
  try {
    fs.readFileSync("/shared/missing");
  } catch (error) {
    code = (error as { code?: unknown }).code;
  }
  expect("the error of a missing file", code, "ENOENT");
}

/** What the main thread finds then. */
export function checkReply(fs: FsSync, name: string): void {
  const bytes = fs.readFileSync(`/shared/from-${name}`);
  expect("contents are bytes", bytes instanceof Uint8Array, true);
  expect("the main thread reads", new TextDecoder().decode(bytes), name);
  expect("the size", fs.statSync(`/shared/from-${name}`).size, name.length);
}

/** Changes the tree until the thread is terminated. */
export function changeForever(fs: FsSync): never {
  for (let i = 0; ; i++) {
    fs.writeFileSync("/shared/moved/a", String(i));
    fs.renameSync("/shared/moved/a", "/shared/moved/b");
  }
}

/** Changes the directory in which a worker was terminated. A thread that may not wait may have to try again. */
export async function changeAfterDeath(fs: FsSync): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      fs.writeFileSync("/shared/moved/c", "c");
      fs.renameSync("/shared/moved/c", "/shared/moved/b");
      expect("the file after the death", fs.readFileSync("/shared/moved/b", "utf8"), "c");
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
