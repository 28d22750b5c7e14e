import { getEnvironmentData } from "node:worker_threads";
import { TestEnvironment } from "jest-environment-node";
import { attachVfs } from "threadfs";

/** The environment of a test file, in its worker: attaches the thread to the tree. */
export default class TreeEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    this.vfs = await attachVfs(getEnvironmentData("tree"));
    this.global.tree = this.vfs.fs;
  }

  async teardown() {
    this.vfs.close();
    await super.teardown();
  }
}
