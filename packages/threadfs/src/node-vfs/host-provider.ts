/** The host's class of providers, found when the first provider is made: a module is imported where there is no `node:vfs` too. */
import { type NodeVfs, nodeProcess } from "../bridge/node.js";
import { codedError } from "../errors/errors.js";

/** The host's module. @throws Error ERR_THREADFS_HOST */
function hostVfs(): NodeVfs {
  // Undefined in Node 20, and since 26.4 without the option.
  const vfs = nodeProcess()?.getBuiltinModule?.("node:vfs");
  if (typeof vfs?.VirtualProvider === "function") return vfs;
  const version = nodeProcess()?.versions?.node;
  const host = version === undefined ? "This host has none" : `This is ${version}`;
  const message = `threadfs/node-vfs needs node:vfs: Node 26.10 or newer, started with --experimental-vfs. ${host}`;
  throw codedError(Error, "ERR_THREADFS_HOST", message);
}

/** An object of the host's `VirtualProvider`, made by its constructor, with the members of the class that extends this one. */
export class HostProvider {
  /** @throws Error ERR_THREADFS_HOST where there is no `node:vfs` */
  constructor() {
    const { VirtualProvider } = hostVfs();
    if (Object.getPrototypeOf(HostProvider.prototype) !== VirtualProvider.prototype) {
      Object.setPrototypeOf(HostProvider.prototype, VirtualProvider.prototype);
    }
    // biome-ignore lint/correctness/noConstructorReturn: it becomes the `this` of the class that extends this one
    return Reflect.construct(VirtualProvider, [], new.target);
  }
}
