/** The entries of a directory as sysGetdents() leaves them in the scratch area (DIRENT_*, abi/memory.ts). */
import {
  DIRENT_ALIGN,
  DIRENT_NAME,
  DIRENT_NAME_LENGTH,
  DIRENT_OFF,
  DIRENT_TYPE,
} from "../../../threadfs/dist/abi/abi.js";

/** An entry: its name, a character a byte; its type (DT_*), inode number, and the position behind it. */
export interface Dirent {
  name: string;
  type: number;
  ino: number;
  next: number;
}

const decoder = new TextDecoder("latin1");

const behind = (at: number, length: number) => (at + DIRENT_NAME + length + DIRENT_ALIGN - 1) & ~(DIRENT_ALIGN - 1);

/** The entries in the first `end` bytes. */
export function readDirents(shared: Uint8Array, end: number): Dirent[] {
  const bytes = shared.slice(0, Math.max(end, 0));
  const view = new DataView(bytes.buffer);
  const list: Dirent[] = [];
  for (let at = 0; at < end; ) {
    const length = view.getUint8(at + DIRENT_NAME_LENGTH);
    const name = decoder.decode(bytes.subarray(at + DIRENT_NAME, at + DIRENT_NAME + length));
    const [ino, next] = [view.getFloat64(at, true), view.getFloat64(at + DIRENT_OFF, true)];
    list.push({ name, type: view.getUint8(at + DIRENT_TYPE), ino, next });
    at = behind(at, length);
  }
  return list;
}

/** Writes an entry at `at`. @returns where the next one begins */
export function writeDirent(view: DataView, at: number, { name, type, ino, next }: Dirent): number {
  view.setFloat64(at, ino, true);
  view.setFloat64(at + DIRENT_OFF, next, true);
  view.setUint8(at + DIRENT_TYPE, type);
  view.setUint8(at + DIRENT_NAME_LENGTH, name.length);
  for (let i = 0; i < name.length; i++) view.setUint8(at + DIRENT_NAME + i, name.charCodeAt(i));
  return behind(at, name.length);
}
