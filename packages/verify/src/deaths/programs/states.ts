/** What a death has left, as another thread sees it: as text, so that two states can be compared. */
import type { Attachment } from "../../../../threadfs/dist/src/bridge/attachment.js";
import type { Vfs } from "../../../../threadfs/dist/src/index.js";

export const attachmentOf = (vfs: Vfs): Attachment =>
  (vfs as unknown as { calls: { attachment: Attachment } }).calls.attachment;

/** The lines in which two states differ. */
export function difference(state: string, expected: string): string {
  const [ours, theirs] = [state.split("\n"), expected.split("\n")];
  const lines = ours.filter((line) => !theirs.includes(line)).map((line) => `    is      ${line}`);
  const missing = theirs.filter((line) => !ours.includes(line)).map((line) => `    not     ${line}`);
  return [...lines, ...missing].join("\n");
}

/** A directory and all below it. */
export function treeSeen(vfs: Vfs, path: string): unknown[] {
  const { fs } = vfs;
  const { mode, nlink, size, mtimeMs, atimeMs } = fs.lstatSync(path);
  const type = mode & 0o170000;
  const own = [path, mode, nlink, size, mtimeMs, atimeMs];
  if (type === 0o040000)
    return [own, ...(fs.readdirSync(path) as string[]).sort().flatMap((name) => treeSeen(vfs, `${path}/${name}`))];
  if (type === 0o120000) return [[...own, fs.readlinkSync(path)]];
  return [type === 0o100000 ? [...own, fs.readFileSync(path, "latin1").slice(0, 20)] : own];
}
