/** How much of a directory fits into the shared memory that the job may use. */
import { CliError, EXIT_USAGE } from "../support/errors.js";

/** Estimates, on the safe side: of an empty tree, of a thread, of an entry without its contents, and of contents by their size. */
const TREE_BYTES = 4 << 20;
const THREAD_BYTES = 160 << 10;
const ENTRY_BYTES = 512;
const CONTENT_FACTOR = 1.5;

const DEFAULT_ENTRIES = 1_000_000;
const DEFAULT_CONTENT = 256 << 20;

export interface MemoryOptions {
  maxBytes: number;
  /** All threads of the job. */
  threads: number;
  /** As asked for; otherwise as much as the default and the memory allow. */
  contentTotal: number | undefined;
  maxEntries: number | undefined;
}

/**
 * Chooses the limits of loading so that what is loaded fits.
 * @throws CliError ENOSPC when what is asked for does not fit, so that it is found out before the run
 */
export function memoryLimits({ maxBytes, threads, contentTotal, maxEntries }: MemoryOptions): {
  contentTotal: number;
  maxEntries: number;
} {
  const fixed = TREE_BYTES + threads * THREAD_BYTES;
  const asked = fixed + (maxEntries ?? 1) * ENTRY_BYTES + (contentTotal ?? 0) * CONTENT_FACTOR;
  if (asked > maxBytes) {
    const entries = maxEntries === undefined ? "" : `, ${maxEntries} entries`;
    const contents = contentTotal === undefined ? "" : `, ${contentTotal / 2 ** 20} MiB of contents`;
    const message =
      `--max-memory ${maxBytes / 2 ** 20}: ${threads} threads (two of them look nothing up)${entries}${contents} may need ` +
      `${Math.ceil(asked / 2 ** 20)} MiB`;
    throw new CliError("ENOSPC", message, EXIT_USAGE);
  }
  const spare = maxBytes - asked;
  // Names come first; contents get what they leave, if the entries are many.
  const forNames = contentTotal === undefined ? spare / 2 : spare;
  const entries = maxEntries ?? Math.min(DEFAULT_ENTRIES, Math.floor(forNames / ENTRY_BYTES));
  const left = maxEntries === undefined ? spare - entries * ENTRY_BYTES : spare;
  return {
    maxEntries: Math.max(1, entries),
    contentTotal: contentTotal ?? Math.min(DEFAULT_CONTENT, Math.floor(left / CONTENT_FACTOR)),
  };
}
