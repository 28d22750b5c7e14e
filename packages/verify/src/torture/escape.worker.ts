/** The thread of escape.ts that exchanges two directories, one below the directory that the other thread's walks may not leave, one outside. */
import { workerData } from "node:worker_threads";
import { AT_FDCWD, RENAME_EXCHANGE } from "../../../threadfs/dist/abi/abi.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { type EscapeData, WORD } from "./escape.js";

const { handle, words, inside, outside }: EscapeData = workerData;
const arena = Attachment.attach(handle, {});
const put = (text: string, into: Uint8Array): number => {
  const length = arena.writeString(text, into);
  into[length] = 0;
  return length;
};
while (Atomics.load(words, WORD.STOP) === 0) {
  const [from, to] = [put(inside, arena.path), put(outside, arena.path2)];
  const result = arena.core.sysRename(handle.ctx, AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
  if (result < 0) {
    Atomics.store(words, WORD.RESULT, result);
    break;
  }
  Atomics.add(words, WORD.EXCHANGES, 1);
}
arena.close();
