import { setEnvironmentData } from "node:worker_threads";
import { createVfs } from "threadfs";

/** Runs once, in the main thread: makes the tree of all test files. */
export default async function setup() {
  const vfs = await createVfs({ maxBytes: 1 << 28 });
  vfs.fs.mkdirSync("/fixtures");
  vfs.fs.writeFileSync("/fixtures/config.json", '{ "color": "green" }');
  setEnvironmentData("tree", vfs.handle); // every thread that is made from now on has it
  globalThis.vfs = vfs;
}
