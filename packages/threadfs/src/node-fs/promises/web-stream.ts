/** `handle.readableWebStream()` (https://nodejs.org/api/fs.html#filehandlereadablewebstreamoptions). */
import { NO_OPTIONS, toBoolean, toObject } from "../args.js";
import { warn } from "../warnings.js";
import type { Emitter } from "./emitter.js";
import { REF, UNREF } from "./files.js";

/** Bytes that a read fills where the reader brings no memory. */
const CHUNK_SIZE = 16_384;

/** What the stream needs of the handle that it reads. */
interface ReadHandle {
  read(view: ArrayBufferView, offset: number, length: number): Promise<{ bytesRead: number }>;
  close(): Promise<void>;
  /** Another user of the descriptor, and one less. */
  [REF](): void;
  [UNREF](): void;
}

/**
 * A stream of bytes from the handle's position to the end of the file. It uses the descriptor until it ends, fails, is cancelled, or the
 * handle is closed, which ends it. The handle is locked for good, as Node's is.
 * @throws TypeError ERR_INVALID_ARG_TYPE
 */
export function webStreamOf(handle: ReadHandle, options: unknown = NO_OPTIONS): ReadableStream {
  const { type = "bytes", autoClose = false } = toObject(options, "options");
  const closes = toBoolean(autoClose, "options.autoClose");
  if (type !== "bytes") {
    // The word "steam" is Node's.
    warn('A non-"bytes" options.type has no effect. A byte-oriented steam is always created.', "ExperimentalWarning");
  }
  let ended = false;
  const end = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    handle[UNREF]();
    if (closes) await handle.close();
  };
  /** A read that fails makes the stream fail, so that it is the last one. */
  const read = async (view: ArrayBufferView): Promise<number> => {
    try {
      return (await handle.read(view, 0, view.byteLength)).bytesRead;
    } catch (error) {
      await end();
      throw error;
    }
  };
  let ends = (): void => {};
  const stream = new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK_SIZE,
    start(controller) {
      ends = () => {
        controller.close();
        // A read that waits gets no bytes.
        controller.byobRequest?.respond(0);
      };
    },
    async pull(controller) {
      const request = controller.byobRequest;
      // With chunks of its own size a stream of bytes always has one.
      if (request?.view == null) return;
      const bytesRead = await read(request.view);
      if (ended) return;
      if (bytesRead === 0) {
        controller.close();
        await end();
      }
      request.respond(bytesRead);
    },
    cancel: end,
  });
  handle[REF]();
  (handle as unknown as Emitter).once("close", () => {
    if (ended) return;
    ends();
    end();
  });
  return stream;
}
