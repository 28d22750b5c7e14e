/** `fs.Utf8Stream` (https://nodejs.org/api/fs.html#class-fsutf8stream): a fast way to append text to a file, for logs. */
import type { StreamModule } from "../../bridge/node.js";
import { bare } from "../../errors/bare.js";
import type { Emitter } from "../promises/emitter.js";
import { DISPOSE } from "../surface/dispose.js";
import { BYTES, TEXT } from "./utf8-content.js";
import { checkMinLength, readUtf8Options } from "./utf8-options.js";
import { Utf8Writer } from "./utf8-writer.js";

/** The class of emitters that streams are. */
function emitterOf({ Readable }: StreamModule): new () => object {
  let prototype: object = Readable.prototype;
  for (;;) {
    const above: object | null = Object.getPrototypeOf(prototype);
    if (above === null || above === Object.prototype) return prototype.constructor as new () => object;
    prototype = above;
  }
}

/** Makes the class of a tree. `tree`: its calls. */
export function makeUtf8Stream(module: StreamModule, tree: object): new (options?: unknown) => object {
  class Utf8Stream extends emitterOf(module) {
    readonly #writer: Utf8Writer<string> | Utf8Writer<Uint8Array>;

    constructor(given?: unknown) {
      const options = readUtf8Options(given, tree);
      super();
      const emitter = this as unknown as Emitter;
      this.#writer = options.bytes ? new Utf8Writer(emitter, options, BYTES) : new Utf8Writer(emitter, options, TEXT);
      this.#writer.begin();
      checkMinLength(options);
      this.#writer.beginFlushing();
    }

    write(data: unknown): boolean {
      return this.#writer.write(data);
    }
    flush(callback: unknown = () => {}): void {
      this.#writer.flush(callback);
    }
    flushSync(): void {
      this.#writer.flushSync();
    }
    reopen(file?: string): void {
      this.#writer.reopen(file);
    }
    end(): void {
      this.#writer.end();
    }
    destroy(): void {
      this.#writer.destroy();
    }
    get mode(): unknown {
      return this.#writer.options.mode;
    }
    get file(): string | null {
      return this.#writer.file;
    }
    get fd(): number {
      return this.#writer.fd;
    }
    get minLength(): number {
      return this.#writer.options.minLength;
    }
    get maxLength(): number {
      return this.#writer.options.maxLength;
    }
    get writing(): boolean {
      return this.#writer.writing;
    }
    get sync(): boolean {
      return this.#writer.options.sync;
    }
    get fsync(): boolean {
      return this.#writer.options.fsync;
    }
    get append(): boolean {
      return this.#writer.options.append;
    }
    get periodicFlush(): number {
      return this.#writer.options.periodicFlush;
    }
    get contentMode(): string {
      return this.#writer.content.mode;
    }
    get mkdir(): boolean {
      return this.#writer.options.mkdir;
    }
    [DISPOSE](): void {
      this.destroy();
    }
  }
  // Node's has a default.
  return Object.defineProperty(Utf8Stream, "length", bare({ value: 0, configurable: true }));
}
