// What every side does for a round, in Node and in a page: one bundle of the project.

export interface Bundle {
  write(options: object): Promise<{ output: { modules?: object }[] }>;
  close(): Promise<void>;
}

export type Rolldown = (options: object) => Promise<Bundle>;

/** What a bundle took, and how many calls of its threads were sent to the thread that has the files. */
export interface BundleRun {
  ms: number;
  calls: number;
}

/** Bundles the project. Returns the milliseconds. */
export async function timeBundle(rolldown: Rolldown, root: string): Promise<number> {
  const began = performance.now();
  const bundle = await rolldown({ input: `${root}/main.mjs`, cwd: root });
  const { output } = await bundle.write({ dir: `${root}/out` });
  await bundle.close();
  const ms = performance.now() - began;
  if (Object.keys(output[0]?.modules ?? {}).length < 100) throw new Error("rolldown has not bundled the project");
  return ms;
}
