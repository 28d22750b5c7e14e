/** `fs.Dirent` (https://nodejs.org/api/fs.html#class-fsdirent). */

import { DT_BLK, DT_CHR, DT_DIR, DT_FIFO, DT_LNK, DT_REG, DT_SOCK } from "../../../abi/mode.js";
import { constants } from "../constants.js";

const {
  UV_DIRENT_UNKNOWN,
  UV_DIRENT_FILE,
  UV_DIRENT_DIR,
  UV_DIRENT_LINK,
  UV_DIRENT_FIFO,
  UV_DIRENT_SOCKET,
  UV_DIRENT_CHAR,
  UV_DIRENT_BLOCK,
} = constants;

const UV_TYPES: ReadonlyMap<number, number> = new Map([
  [DT_REG, UV_DIRENT_FILE],
  [DT_DIR, UV_DIRENT_DIR],
  [DT_LNK, UV_DIRENT_LINK],
  [DT_FIFO, UV_DIRENT_FIFO],
  [DT_SOCK, UV_DIRENT_SOCKET],
  [DT_CHR, UV_DIRENT_CHAR],
  [DT_BLK, UV_DIRENT_BLOCK],
]);

/** The UV_DIRENT_* of a DT_*. */
export function direntType(type: number): number {
  return UV_TYPES.get(type) ?? UV_DIRENT_UNKNOWN;
}

// util.inspect shows this description, as in Node.
const TYPE = /* @__PURE__ */ Symbol("type");

/** One entry of a directory. */
export class Dirent<Name extends string | Buffer = string> {
  name: Name;
  /** Path of the directory: as it was given, below it joined as `path.join` does; bytes if it was given as bytes. */
  parentPath: string;
  /** Not there in Node 26; see types.ts. */
  declare readonly path: never;
  [TYPE]: number;

  /** @param type UV_DIRENT_* of `fs.constants` */
  constructor(name: Name, type: number, parentPath: string | Uint8Array) {
    this.name = name;
    // Node's types have a string here, and Node returns what it was given.
    this.parentPath = parentPath as string;
    this[TYPE] = type;
  }

  isDirectory(): boolean {
    return this[TYPE] === UV_DIRENT_DIR;
  }
  isFile(): boolean {
    return this[TYPE] === UV_DIRENT_FILE;
  }
  isBlockDevice(): boolean {
    return this[TYPE] === UV_DIRENT_BLOCK;
  }
  isCharacterDevice(): boolean {
    return this[TYPE] === UV_DIRENT_CHAR;
  }
  isSymbolicLink(): boolean {
    return this[TYPE] === UV_DIRENT_LINK;
  }
  isFIFO(): boolean {
    return this[TYPE] === UV_DIRENT_FIFO;
  }
  isSocket(): boolean {
    return this[TYPE] === UV_DIRENT_SOCKET;
  }
}
