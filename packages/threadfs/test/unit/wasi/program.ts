/** A program that tests play: it calls the imports with addresses in a memory of its own. */
import type { TestContext } from "node:test";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import { ERRNO as E, OFLAG, RIGHT, WRITE_RIGHTS } from "../../../dist/src/wasi/preview1.js";
import { createWasi, type Wasi, type WasiOptions } from "../../../dist/src/wasi.js";

export { EVENT, FDFLAG, FILETYPE, FSTFLAG, OFLAG, RIGHT } from "../../../dist/src/wasi/preview1.js";

/** The names of errors, to show them. */
const NAME_OF = new Map<number, string>(Object.entries(E).map(([name, number]) => [number, name]));
export const errorName = (number: number): string => NAME_OF.get(number) ?? String(number);

type Calls = Record<string, (...args: unknown[]) => number>;

interface OpenOptions {
  oflags?: number;
  rights?: bigint;
  inheriting?: bigint;
  fdflags?: number;
  follow?: number;
}

/** All rights but those for sockets; of a directory none to write it. */
const rightsFor = (oflags: number): bigint =>
  BigInt((oflags & OFLAG.DIRECTORY ? ~WRITE_RIGHTS : -1) & (RIGHT.SOCK_SHUTDOWN - 1));

/** Where results are written, and where the memory for arguments begins. */
const RESULT = 64;
const ARGUMENTS = 1024;

export class TestProgram {
  readonly wasi: Wasi;
  readonly memory: WebAssembly.Memory;
  readonly calls: Calls;
  #next = ARGUMENTS;

  constructor(wasi: Wasi, memory = new WebAssembly.Memory({ initial: 4, maximum: 64 })) {
    this.wasi = wasi;
    this.memory = memory;
    wasi.bindMemory(memory);
    this.calls = wasi.getImportObject().wasi_snapshot_preview1 as unknown as Calls;
  }

  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  /** Calls an import. Returns the name of its error. */
  call(name: string, ...args: unknown[]): string {
    this.#next = ARGUMENTS;
    const call = this.calls[name];
    if (call === undefined) throw new Error(`no import ${name}`);
    return errorName(call(...args.flatMap((arg) => (typeof arg === "string" ? this.text(arg) : [arg]))));
  }

  /** Puts bytes into the memory: their address and their length. */
  text(text: string | Uint8Array): [number, number] {
    const bytes = Buffer.from(text as string);
    const at = this.#next;
    this.#next += bytes.length;
    new Uint8Array(this.memory.buffer).set(bytes, at);
    return [at, bytes.length];
  }

  bytes(at: number, length: number): string {
    return Buffer.from(new Uint8Array(this.memory.buffer, at, length)).toString();
  }

  /** The result of the last call, a u32. */
  get result(): number {
    return this.view.getUint32(RESULT, true);
  }

  get result64(): bigint {
    return this.view.getBigUint64(RESULT, true);
  }

  static readonly RESULT = RESULT;

  /** Opens a path. Returns the number, or the name of the error. */
  open(
    dir: number,
    path: string,
    { oflags = 0, rights = rightsFor(oflags), fdflags = 0, follow = 1, inheriting = rights }: OpenOptions = {},
  ): number | string {
    const error = this.call("path_open", dir, follow, path, oflags, rights, inheriting, fdflags, RESULT);
    return error === "SUCCESS" ? this.result : error;
  }

  /** Opens a path that has to be there. */
  opened(dir: number, path: string, options: OpenOptions = {}): number {
    const fd = this.open(dir, path, options);
    if (typeof fd === "string") throw new Error(`open ${path}: ${fd}`);
    return fd;
  }

  /** Writes the vector of buffers to address 128. */
  vectors(parts: readonly (readonly [at: number, length: number])[]): [number, number] {
    for (const [n, [at, length]] of parts.entries()) {
      this.view.setUint32(128 + n * 8, at, true);
      this.view.setUint32(132 + n * 8, length, true);
    }
    return [128, parts.length];
  }

  write(fd: number, ...texts: string[]): number | string {
    this.#next = ARGUMENTS;
    const vectors = this.vectors(texts.map((text) => this.text(text)));
    const error = errorName((this.calls.fd_write as Calls[string])(fd, ...vectors, RESULT));
    return error === "SUCCESS" ? this.result : error;
  }

  /** Reads up to `length` bytes. Returns them, or the name of the error. */
  read(fd: number, length: number): string {
    const error = errorName((this.calls.fd_read as Calls[string])(fd, ...this.vectors([[ARGUMENTS, length]]), RESULT));
    return error === "SUCCESS" ? this.bytes(ARGUMENTS, this.result) : error;
  }

  /** The entries from a cookie on, as far as they fit into `length` bytes whole; and how many bytes were used. */
  readdir(
    fd: number,
    cookie = 0n,
    length = 4096,
  ): { names: string[]; cookies: bigint[]; types: number[]; used: number } {
    const error = this.call("fd_readdir", fd, ARGUMENTS, length, cookie, RESULT);
    if (error !== "SUCCESS") throw new Error(error);
    const used = this.result;
    const found = { names: [] as string[], cookies: [] as bigint[], types: [] as number[], used };
    for (let at = 0; at + 24 <= used; ) {
      const size = this.view.getUint32(ARGUMENTS + at + 16, true);
      if (at + 24 + size > used) break;
      found.names.push(this.bytes(ARGUMENTS + at + 24, size));
      found.cookies.push(this.view.getBigUint64(ARGUMENTS + at, true));
      found.types.push(this.view.getUint8(ARGUMENTS + at + 20));
      at += 24 + size;
    }
    return found;
  }
}

/** The number of the first preopen. */
export const DIR = 3;

/** A tree with /box, which the program has as "/", and what is outside of it. */
export async function boxed(t: TestContext, options: WasiOptions = {}): Promise<{ vfs: Vfs; program: TestProgram }> {
  const vfs = await createVfs({ maxBytes: 32 << 20 });
  t.after(() => vfs.close());
  for (const dir of ["/box", "/box/d", "/out"]) vfs.fs.mkdirSync(dir);
  vfs.fs.writeFileSync("/box/f", "0123456789");
  vfs.fs.writeFileSync("/out/secret", "secret");
  const wasi = createWasi(vfs, {
    preopens: { "/": "/box" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    ...options,
  });
  return { vfs, program: new TestProgram(wasi) };
}
