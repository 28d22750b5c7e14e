/** The resource `directory-entry-stream`. */
import { ENOENT } from "../../../abi/errno.js";
import { DIRENT_ALIGN, DIRENT_NAME, DIRENT_NAME_LENGTH, DIRENT_OFF, DIRENT_TYPE } from "../../../abi/memory.js";
import { DT_SHIFT } from "../../../abi/mode.js";
import { typeOf } from "./attributes.js";
import { DISPOSE, done } from "./errors.js";
import type { OpenFile } from "./open-file.js";
import type { DirectoryEntry, ErrorCode } from "./types.js";

/** How many entries one call of the core returns. */
const BATCH = 64;

const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The string of bytes of a file system, which need not be one. @throws ErrorCode "illegal-byte-sequence" */
export function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw "illegal-byte-sequence" satisfies ErrorCode;
  }
}

/** The entries of a directory, without "." and "..", in the order in which they were made. */
export class DirectoryEntryStream {
  #file: OpenFile | undefined;
  /** Where the next batch begins: what is made and removed meanwhile does not move it. */
  #position = 0;
  /** Types and names of a batch, and how many of it have been returned. */
  #batch: [mode: number, name: Uint8Array][] = [];
  #next = 0;

  /** @internal */
  constructor(file: OpenFile) {
    this.#file = file.use();
  }

  /** The next entry; undefined: there are no more. @throws ErrorCode "illegal-byte-sequence" for a name that is no UTF-8, after which the stream goes on */
  readDirectoryEntry(): DirectoryEntry | undefined {
    if (this.#file === undefined) throw "bad-descriptor" satisfies ErrorCode;
    if (this.#next === this.#batch.length) this.#read(this.#file);
    const entry = this.#batch[this.#next];
    if (entry === undefined) return undefined;
    this.#next++;
    const [mode, name] = entry;
    return { type: typeOf(mode), name: decode(name) };
  }

  #read(file: OpenFile): void {
    const { core, ctx, attachment } = file.tree.calls;
    const filled = core.sysGetdents(ctx, file.fd, BATCH, this.#position);
    this.#batch = [];
    this.#next = 0;
    // A directory that was removed has no entries, as readdir(3) has it.
    if (filled === -ENOENT) return;
    const io = attachment.io.slice(0, done(filled));
    const view = new DataView(io.buffer);
    for (let at = 0; at < io.length; ) {
      const start = at + DIRENT_NAME;
      const end = start + view.getUint8(at + DIRENT_NAME_LENGTH);
      this.#position = view.getFloat64(at + DIRENT_OFF, true);
      this.#batch.push([view.getUint8(at + DIRENT_TYPE) << DT_SHIFT, io.subarray(start, end)]);
      at = (end + DIRENT_ALIGN - 1) & ~(DIRENT_ALIGN - 1);
    }
  }

  /** What a component does that drops it. */
  [DISPOSE](): void {
    const file = this.#file;
    this.#file = undefined;
    file?.drop();
  }
}
