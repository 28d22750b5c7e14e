/** A component that tests play: it calls the imports as jco's code does. */
import type { TestContext } from "node:test";
import { createVfs, type Vfs } from "../../../../dist/src/index.js";
import { createPreview2, type Preview2 } from "../../../../dist/src/wasi-preview2.js";

export type Descriptor = ReturnType<Preview2["filesystem"]["preopens"]["getDirectories"]>[0][0];

/** How a component drops a resource. */
export function drop(resource: unknown): void {
  const symbol = (Symbol as { dispose?: symbol }).dispose ?? Symbol.for("dispose");
  (resource as Record<symbol, () => void>)[symbol]?.();
}

/** What a call returns, or the error code, or the tag of the stream error that it throws; a trap is an exception. */
export function outcome<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    if (typeof error === "string") return error;
    if (error instanceof globalThis.Error) throw error;
    const { tag, val } = error as { tag: string; val?: { toDebugString(): string } };
    return val === undefined ? tag : `${tag}: ${val.toDebugString()}`;
  }
}

export const NOFOLLOW = {};
export const FOLLOW = { symlinkFollow: true };
export const READ = { read: true };
export const BOTH = { read: true, write: true };
export const CREATE = { create: true };

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** A tree with a directory /box, which has a file f, and a component that has that alone. */
export async function boxed(
  t: TestContext,
): Promise<{ vfs: Vfs; preview2: Preview2; box: Descriptor; open: (path: string, create?: boolean) => Descriptor }> {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/box");
  vfs.fs.writeFileSync("/box/f", "0123456789");
  vfs.fs.writeFileSync("/secret", "secret");
  const preview2 = createPreview2(vfs, { preopens: { "/": "/box" } });
  const [[box]] = preview2.filesystem.preopens.getDirectories() as [[Descriptor, string]];
  const open = (path: string, create = false) => box.openAt(FOLLOW, path, { create }, BOTH);
  return { vfs, preview2, box, open };
}
