/** The entry "threadfs/node-vfs": trees as providers of Node's `node:vfs`, `vfs.create(new ThreadProvider(tree)).mount()`. */
export { ThreadProvider } from "./node-vfs/provider.js";
export type { ProviderHandle, ProviderTree } from "./node-vfs/types.js";
