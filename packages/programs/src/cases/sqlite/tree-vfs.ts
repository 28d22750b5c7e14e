/** Files and locks of SQLite on a tree: what wa-sqlite calls a VFS. Its locks are those of SQLite on Unix, on ranges of bytes. */
import type { Vfs } from "threadfs";
import * as SQLITE from "wa-sqlite";

/** Beyond what a database has: https://www.sqlite.org/lockingv3.html names these bytes. */
const PENDING = 0x40000000;
const RESERVED = PENDING + 1;
const SHARED = PENDING + 2;
const SHARED_LENGTH = 510;
const LAST = SHARED + SHARED_LENGTH;

interface Opened {
  fd: number;
  path: string;
  level: number;
  temporary: boolean;
}

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code;

export class TreeVfs implements SQLiteVFS {
  readonly name = "tree";
  readonly mxPathName = 1024;
  readonly #vfs: Vfs;
  readonly #opened = new Map<number, Opened>();

  constructor(vfs: Vfs) {
    this.#vfs = vfs;
  }

  #file(id: number): Opened {
    const file = this.#opened.get(id);
    if (file === undefined) throw new Error(`file ${id} is not open`);
    return file;
  }

  xOpen(name: string | null, id: number, flags: number, outFlags: DataView): number {
    const path = name ?? `/temporary-${id}`;
    const mode = flags & SQLITE.SQLITE_OPEN_READWRITE ? "r+" : "r";
    const { fs } = this.#vfs;
    try {
      if (flags & SQLITE.SQLITE_OPEN_CREATE) fs.closeSync(fs.openSync(path, "a"));
      const temporary = (flags & SQLITE.SQLITE_OPEN_DELETEONCLOSE) !== 0;
      this.#opened.set(id, { fd: fs.openSync(path, mode), path, level: SQLITE.SQLITE_LOCK_NONE, temporary });
    } catch {
      return SQLITE.SQLITE_CANTOPEN;
    }
    outFlags.setInt32(0, flags, true);
    return SQLITE.SQLITE_OK;
  }

  xClose(id: number): number {
    const { fd, path, temporary } = this.#file(id);
    this.#opened.delete(id);
    // Its locks are those of this open file: they end with it.
    this.#vfs.fs.closeSync(fd);
    if (temporary) this.#vfs.fs.unlinkSync(path);
    return SQLITE.SQLITE_OK;
  }

  xRead(id: number, data: Uint8Array, at: number): number {
    const read = this.#vfs.fs.readSync(this.#file(id).fd, data, 0, data.length, at);
    if (read === data.length) return SQLITE.SQLITE_OK;
    data.fill(0, read);
    return SQLITE.SQLITE_IOERR_SHORT_READ;
  }

  xWrite(id: number, data: Uint8Array, at: number): number {
    this.#vfs.fs.writeSync(this.#file(id).fd, data, 0, data.length, at);
    return SQLITE.SQLITE_OK;
  }

  xTruncate(id: number, size: number): number {
    this.#vfs.fs.ftruncateSync(this.#file(id).fd, size);
    return SQLITE.SQLITE_OK;
  }

  xFileSize(id: number, size: DataView): number {
    size.setBigInt64(0, BigInt(this.#vfs.fs.fstatSync(this.#file(id).fd).size), true);
    return SQLITE.SQLITE_OK;
  }

  xDelete(path: string): number {
    this.#vfs.fs.rmSync(path, { force: true });
    return SQLITE.SQLITE_OK;
  }

  xAccess(path: string, _flags: number, result: DataView): number {
    result.setInt32(0, this.#vfs.fs.existsSync(path) ? 1 : 0, true);
    return SQLITE.SQLITE_OK;
  }

  /** Locks a range for this open file, at once or not at all. */
  #lock({ fd }: Opened, type: "rd" | "wr" | "un", start: number, end: number): void {
    this.#vfs.fcntlLockSync(fd, { type, start, length: end - start, ofd: true }, { nonblocking: true });
  }

  xLock(id: number, level: number): number {
    const file = this.#file(id);
    if (file.level >= level) return SQLITE.SQLITE_OK;
    try {
      if (level === SQLITE.SQLITE_LOCK_SHARED) {
        // A writer that waits for readers to end holds this byte: no further reader comes in.
        this.#lock(file, "rd", PENDING, RESERVED);
        try {
          this.#lock(file, "rd", SHARED, LAST);
        } finally {
          this.#lock(file, "un", PENDING, RESERVED);
        }
      } else if (level === SQLITE.SQLITE_LOCK_RESERVED) {
        this.#lock(file, "wr", RESERVED, SHARED);
      } else {
        this.#lock(file, "wr", PENDING, RESERVED);
        file.level = SQLITE.SQLITE_LOCK_PENDING;
        this.#lock(file, "wr", SHARED, LAST);
      }
    } catch (error) {
      if (codeOf(error) === "EAGAIN") return SQLITE.SQLITE_BUSY;
      throw error;
    }
    file.level = level;
    return SQLITE.SQLITE_OK;
  }

  xUnlock(id: number, level: number): number {
    const file = this.#file(id);
    if (file.level <= level) return SQLITE.SQLITE_OK;
    if (level === SQLITE.SQLITE_LOCK_SHARED) {
      this.#lock(file, "rd", SHARED, LAST);
      this.#lock(file, "un", PENDING, SHARED);
    } else {
      this.#lock(file, "un", PENDING, LAST);
    }
    file.level = level;
    return SQLITE.SQLITE_OK;
  }

  xCheckReservedLock(id: number, result: DataView): number {
    const { fd } = this.#file(id);
    const held = this.#vfs.getLockSync(fd, { type: "wr", start: RESERVED, length: 1, ofd: true });
    result.setInt32(0, held === undefined ? 0 : 1, true);
    return SQLITE.SQLITE_OK;
  }

  xSync(): number {
    return SQLITE.SQLITE_OK;
  }

  xFileControl(): number {
    return SQLITE.SQLITE_NOTFOUND;
  }

  xSectorSize(): number {
    return 512;
  }

  xDeviceCharacteristics(): number {
    return 0;
  }
}
