/** The whole surface of one context: everything that `node:fs` exports, in an object of its own. */
import { uncloneable } from "../../bridge/options.js";
import { bare } from "../../errors/bare.js";
import { toUnixTimestamp } from "../args.js";
import { constants } from "../constants.js";
import { Dir } from "../directory/dir.js";
import { Dirent } from "../directory/dirent.js";
import { makeCallbacks } from "../forms/callback-table.js";
import { makePromises } from "../promises/promises.js";
import { Stats } from "../stats.js";
import { makeBlobs } from "../streams/blob.js";
import { withStreams } from "../streams/exports.js";
import { makeSync } from "../sync.js";
import type { SystemCalls } from "../system-calls.js";
import type { Fs } from "../types.js";
import { makeWatch } from "../watch/watch.js";
import { makeWatchFile } from "../watch/watch-file.js";
import { named, namedPromises } from "./names.js";

/** The text of the host's error when `fs` or `fs.promises` is cloned. */
const NOT_CLONEABLE = "functions of vfs.fs: post vfs.handle instead, and pass that to attachVfs() in the other thread";

/** Creates the surface. Its functions do not use `this` and may be taken out of the object. */
export function makeFs(calls: SystemCalls): Fs {
  const sync = makeSync(calls);
  const asynchronous = { ...makeCallbacks(calls), ...makeBlobs(sync) };
  const watchers = { watch: makeWatch(calls), ...makeWatchFile(calls) };
  const surface = {
    ...uncloneable(NOT_CLONEABLE),
    ...sync,
    ...asynchronous,
    ...watchers,
    constants,
    Stats,
    Dirent,
    Dir,
    // Without documentation, and exported nevertheless.
    _toUnixTimestamp: toUnixTimestamp,
  };
  let promises: ReturnType<typeof makePromises> | undefined;
  const get = () => {
    promises ??= namedPromises({ ...uncloneable(NOT_CLONEABLE), ...makePromises(calls) });
    return promises;
  };
  // Node's is neither writable nor configurable.
  Object.defineProperty(surface, "constants", bare({ writable: false, configurable: false }));
  Object.defineProperty(named(surface), "promises", bare({ get, enumerable: true, configurable: true }));
  return withStreams(surface, calls) as unknown as Fs;
}
