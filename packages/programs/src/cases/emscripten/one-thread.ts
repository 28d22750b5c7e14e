/** What the tests of the file system type have in common: a program with a tree in one thread. */
import { type TestContext, test } from "node:test";
import { createVfs, type Vfs } from "threadfs";
import { BUILDS, type BuildName, mountTree, type ProgramFs, start } from "./program.js";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A program and a tree, which is mounted at /mnt. */
export async function withTree(
  t: TestContext,
  build: BuildName,
): Promise<{ FS: ProgramFs; vfs: Vfs; errno: (call: () => unknown) => unknown }> {
  const program = await start(build);
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  t.after(() => vfs.close());
  const FS = mountTree(program, vfs);
  return { FS, vfs, errno: (call) => errnoOf(FS, call) };
}

/** The number of the error that a call throws; undefined: none. Closure has another name for the property in each build. */
export function errnoOf(FS: ProgramFs, call: () => unknown): number | undefined {
  try {
    call();
  } catch (error) {
    if ((error as object).constructor === thrownBy(FS))
      return Object.values(error as object).find((value) => typeof value === "number") as number;
    throw error;
  }
  return undefined;
}

/** The class of the program's errors. */
export function thrownBy(FS: ProgramFs): unknown {
  try {
    FS.stat("/no such file");
  } catch (error) {
    return (error as object).constructor;
  }
  return undefined;
}

/** A test of both builds. */
export function eachBuild(title: string, run: (t: TestContext, build: BuildName) => Promise<void>): void {
  for (const build of BUILDS) test(`${title} (${build})`, (t) => run(t, build));
}
