/** `mkdtempDisposable`: a temporary directory that is removed with everything in it. */

import type { Path } from "../args.js";
import { encodeName } from "../directory/entries.js";
import { operation, runSteps } from "../operation.js";
import { mkdtemp } from "../ops-path.js";
import { rm } from "../ops-rm.js";
import { DISPOSE } from "../surface/dispose.js";

/** The directory, and `[Symbol.dispose]`. */
export interface Temporary {
  path: string | Buffer;
  /** Removes the directory and everything in it. */
  remove(): void;
}

export const mkdtempDisposable = operation(mkdtemp.parse, (calls, parsed): Temporary => {
  const made = mkdtemp.run(calls, { ...parsed, encoding: "buffer" }) as Buffer;
  // The whole path: the context may change its working directory meanwhile.
  const whole: Path = calls.whole(made);
  const remove = (): void =>
    runSteps(
      rm.steps(calls, { path: whole, given: whole, recursive: true, force: true, maxRetries: 0, retryDelay: 100 }),
    );
  const directory = {
    path: encodeName(made, parsed.encoding),
    remove,
    [DISPOSE](): void {
      remove();
    },
  };
  return directory;
});
