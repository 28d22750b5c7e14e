/** `wasi:filesystem` and `wasi:io` 0.2 on a tree, for components that jco has transpiled. */
import { O_DIRECTORY, O_RDONLY } from "../../../abi/flags.js";
import { S_IFDIR } from "../../../abi/mode.js";
import type { Context } from "../../api/context.js";
import type { Vfs } from "../../api/vfs.js";
import { type KeysOf, readOptions } from "../../bridge/options.js";
import { toPath } from "../../node-fs/args.js";
import type { PathLike } from "../../node-fs/types.js";
import { toRecord } from "../options.js";
import { callsOf } from "../tree.js";
import { Descriptor } from "./descriptor.js";
import { DirectoryEntryStream } from "./directory.js";
import { filesystemErrorCode, IoError } from "./errors.js";
import { OpenFile, Tree } from "./open-file.js";
import { Pollable, poll } from "./poll.js";
import { InputStream, OutputStream } from "./streams.js";

/** Options of `createPreview2`. */
export interface Preview2Options {
  /**
   * The directories that a component has: by the name that it knows one by, the path of the directory in the tree. What is above one of them does not exist for the
   * component. Default: none.
   */
  preopens?: Readonly<Record<string, PathLike>> | undefined;
}

const OPTIONS: KeysOf<Preview2Options> = { preopens: true };

/** What `createPreview2` returns: imports of a component, by package and interface. */
export interface Preview2 {
  /** `wasi:filesystem` */
  readonly filesystem: {
    readonly types: {
      readonly Descriptor: typeof Descriptor;
      readonly DirectoryEntryStream: typeof DirectoryEntryStream;
      readonly filesystemErrorCode: typeof filesystemErrorCode;
    };
    readonly preopens: { getDirectories(): [Descriptor, string][] };
  };
  /** `wasi:io`. Its streams and pollables are of files; a component may have others besides, of another shim. */
  readonly io: {
    readonly error: { readonly Error: typeof IoError };
    readonly poll: { readonly Pollable: typeof Pollable; readonly poll: typeof poll };
    readonly streams: { readonly InputStream: typeof InputStream; readonly OutputStream: typeof OutputStream };
  };
  /** Closes every descriptor that components have of it, whatever they have not dropped. Idempotent. */
  close(): void;
}

/** Opens the directories of the components. */
function openPreopens(tree: Tree, preopens: readonly (readonly [string, unknown])[]): [OpenFile, string][] {
  return preopens.map(([name, path]) => {
    const checked = toPath(path, `options.preopens[${JSON.stringify(name)}]`);
    return [new OpenFile(tree, tree.calls.openAny(checked, O_RDONLY | O_DIRECTORY, 0), S_IFDIR), name];
  });
}

/**
 * Makes the imports `wasi:filesystem` and `wasi:io` of components in the shape of jco, whose calls this thread makes directly on the tree. Their descriptors are
 * descriptors of the context; so files that the context may not touch, a component may not.
 * @param tree whose user the components are; `vfs.context({ uid })` for another one
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE for bad options; system call errors of the preopens' open(2)
 */
export function createPreview2(tree: Vfs | Context, options?: Preview2Options): Preview2 {
  const files = new Tree(callsOf(tree));
  const given = toRecord(readOptions<Preview2Options>(options, OPTIONS).preopens, "options.preopens");
  let preopens: [OpenFile, string][] = [];
  try {
    preopens = openPreopens(files, given);
  } catch (error) {
    files.close();
    throw error;
  }
  return {
    filesystem: {
      types: { Descriptor, DirectoryEntryStream, filesystemErrorCode },
      preopens: {
        getDirectories: () => preopens.map(([file, name]) => [new Descriptor(file.use(), { read: true }), name]),
      },
    },
    io: {
      error: { Error: IoError },
      poll: { Pollable, poll },
      streams: { InputStream, OutputStream },
    },
    close: () => files.close(),
  };
}
