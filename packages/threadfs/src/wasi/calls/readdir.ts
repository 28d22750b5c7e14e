/**
 * fd_readdir. A cookie is where an entry ends: 1 is behind ".", 2 behind "..", and from there on 2 more than the position of the directory, which the file system gives each
 * entry when it is made and never uses twice. So a cookie stays good whatever is made and removed, in every thread and for every descriptor of the directory.
 */
import * as LINUX from "../../../abi/errno.js";
import { NAME_MAX } from "../../../abi/limits.js";
import { DIRENT_ALIGN, DIRENT_NAME, DIRENT_NAME_LENGTH, DIRENT_OFF, DIRENT_TYPE } from "../../../abi/memory.js";
import { DT_SHIFT, DT_UNKNOWN } from "../../../abi/mode.js";
import * as STAT from "../../../abi/stat.js";
import { filetypeOf } from "../attributes.js";
import { wasiErrno } from "../errno.js";
import { DIRENT_SIZE, ERRNO, FILETYPE, RIGHT } from "../preview1.js";
import type { Program } from "../program.js";

const DOT = 0x2e;
const DOTS = 2;
/** The most cookies that a position of the core can be. */
const COOKIE_MAX = 2n ** 53n - 1n;
/** Bytes of an entry with a name of a usual length, to guess how many a buffer takes. */
const USUAL_ENTRY = DIRENT_SIZE + 4;

/** Writes entries to the program's buffer; the last one as far as there is room. */
class Listing {
  readonly #program: Program;
  readonly #entry = new Uint8Array(DIRENT_SIZE + NAME_MAX);
  readonly #view = new DataView(this.#entry.buffer);
  #to = 0;
  #end = 0;
  #start = 0;

  constructor(program: Program) {
    this.#program = program;
  }

  begin(address: number, length: number): void {
    this.#start = address;
    this.#to = address;
    this.#end = address + length;
  }

  get used(): number {
    return this.#to - this.#start;
  }

  get left(): number {
    return this.#end - this.#to;
  }

  /** Adds an entry whose name is part of some bytes. */
  add(next: number, ino: number, type: number, bytes: Uint8Array, from: number, length: number): void {
    const entry = this.#entry;
    const view = this.#view;
    view.setUint32(0, next, true);
    view.setUint32(4, next / 2 ** 32, true);
    view.setUint32(8, ino, true);
    view.setUint32(12, ino / 2 ** 32, true);
    view.setUint32(16, length, true);
    view.setUint32(20, type, true);
    for (let i = 0; i < length; i++) entry[DIRENT_SIZE + i] = bytes[from + i] as number;
    const taken = Math.min(DIRENT_SIZE + length, this.left);
    const { bytes: memory } = this.#program.memory;
    for (let i = 0; i < taken; i++) memory[this.#to + i] = entry[i] as number;
    this.#to += taken;
  }
}

const DOT_NAMES = new Uint8Array([DOT, DOT]);

export function makeReaddir(program: Program) {
  const { memory, descriptors, calls } = program;
  const { core, ctx, attachment } = calls;
  const listing = new Listing(program);
  const view = new DataView(attachment.io.buffer, attachment.io.byteOffset, attachment.io.byteLength);

  /** Adds the entries that a call of the core has left in the scratch area. Returns the cookie behind the last one that was added. */
  const addFilled = (filled: number, before: number): number => {
    const { io } = attachment;
    let cookie = before;
    for (let at = 0; at < filled && listing.left > 0; ) {
      const [type, length] = [io[at + DIRENT_TYPE] as number, io[at + DIRENT_NAME_LENGTH] as number];
      const start = at + DIRENT_NAME;
      cookie = view.getFloat64(at + DIRENT_OFF, true) + DOTS;
      const filetype = type === DT_UNKNOWN ? FILETYPE.UNKNOWN : filetypeOf(type << DT_SHIFT);
      listing.add(cookie, view.getFloat64(at, true), filetype, io, start, length);
      at = (start + length + DIRENT_ALIGN - 1) & ~(DIRENT_ALIGN - 1);
    }
    return cookie;
  };

  /** Adds "." and "..", both with the directory's own number: what is above it is none of the program's business. Returns 0 or an error. */
  const addDots = (fd: number, from: number): number => {
    const got = core.sysFstat(ctx, fd);
    if (got < 0) return wasiErrno(got);
    const ino = attachment.stat[STAT.ino];
    for (let n = from; n < DOTS; n++) listing.add(n + 1, ino, FILETYPE.DIRECTORY, DOT_NAMES, 0, n + 1);
    return 0;
  };

  const fill = (fd: number, from: number): number => {
    let cookie = from;
    if (cookie < DOTS) {
      const failed = addDots(fd, cookie);
      if (failed !== 0) return failed;
      cookie = DOTS;
    }
    while (listing.left > 0) {
      const entries = Math.ceil(listing.left / USUAL_ENTRY);
      const filled = core.sysGetdents(ctx, fd, entries, cookie - DOTS);
      memory.refresh();
      // A directory that was removed has no entries, as readdir(3) has it.
      if (filled === 0 || filled === -LINUX.ENOENT) break;
      if (filled < 0) return wasiErrno(filled);
      cookie = addFilled(filled, cookie);
    }
    return 0;
  };

  return {
    fd_readdir(fd: number, buffer: number, length: number, cookie: bigint, result: number): number {
      const failed = program.enterFd(fd, RIGHT.FD_READDIR);
      if (failed !== 0) return failed;
      if (descriptors.fd < 0 || descriptors.filetype !== FILETYPE.DIRECTORY) return ERRNO.ENOTDIR;
      const [to, room] = [buffer >>> 0, length >>> 0];
      if (!memory.has(to, room) || !memory.has(result >>> 0, 4)) return ERRNO.EFAULT;
      const from = BigInt.asUintN(64, cookie);
      if (from > COOKIE_MAX) return ERRNO.EINVAL;
      listing.begin(to, room);
      const error = fill(descriptors.fd, Number(from));
      if (error === 0) memory.setU32(result >>> 0, listing.used);
      return error;
    },
  };
}
