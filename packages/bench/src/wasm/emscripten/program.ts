// PHP, a program of Emscripten, that reads a file in small pieces: the read that a program makes, through its C library and FS.

import path from "node:path";
import { pathToFileURL } from "node:url";
import { MODULES } from "../../programs/files.js";

export const FILE_SIZE = 16_000_000;
export const READ_SIZE = 64;
export const READS = FILE_SIZE / READ_SIZE;

export interface Stream {
  node: object;
  position: number;
}

/** What is used of FS. */
export interface ProgramFs {
  mkdir(path: string): void;
  mount(type: object, options: object, place: string): object;
  writeFile(path: string, bytes: Uint8Array): void;
  stat(path: string): object;
  open(path: string, flags: string): Stream;
  close(stream: Stream): void;
  read(stream: Stream, into: Uint8Array, offset: number, length: number, position: number): number;
  createNode(parent: object | null, name: string, mode: number, dev: number): ProgramNode;
}

export interface ProgramNode {
  node_ops: object;
  stream_ops: object;
}

interface Php {
  mkdir(path: string): void;
  mount(path: string, mount: (php: Php, FS: ProgramFs, place: string) => () => void): Promise<unknown>;
  run(request: { code: string }): Promise<{ text: string; errors: string }>;
}

interface PhpWasm {
  loadPHPRuntime(loader: unknown, options: object): Promise<number>;
  PHP: new (runtime: number) => Php;
}

const load = (file: string): Promise<unknown> => import(pathToFileURL(path.join(MODULES, file)).href);

/** Each fread() is one read: PHP's own buffer is switched off. */
const READ_ALL = `<?php
  $file = fopen('/data/file', 'r');
  stream_set_read_buffer($file, 0);
  $bytes = 0;
  $start = hrtime(true);
  for ($i = 0; $i < ${READS}; $i++) $bytes += strlen(fread($file, ${READ_SIZE}));
  echo json_encode([hrtime(true) - $start, $bytes]);`;

/** One PHP in this thread. */
export class Program {
  readonly #php: Php;
  readonly FS: ProgramFs;

  private constructor(php: Php, FS: ProgramFs) {
    this.#php = php;
    this.FS = FS;
  }

  /** @param mount puts a file system at /data, which exists */
  static async start(mount: (FS: ProgramFs) => void): Promise<Program> {
    const { getPHPLoaderModule } = (await load("@php-wasm/node-8-4/index.js")) as {
      getPHPLoaderModule(): Promise<unknown>;
    };
    const { loadPHPRuntime, PHP } = (await load("@php-wasm/universal/index.js")) as PhpWasm;
    const php = new PHP(await loadPHPRuntime(await getPHPLoaderModule(), { processId: 1 }));
    php.mkdir("/data");
    let found: ProgramFs | undefined;
    await php.mount("/data", (_php, FS) => {
      found = FS;
      mount(FS);
      return () => {};
    });
    return new Program(php, found as unknown as ProgramFs);
  }

  /** Opens and closes a file many times, as FS does it for the C library. Returns the ns of both. */
  openAll(file: number, times: number): number {
    const { FS } = this;
    const name = `/data/open-${file}`;
    const start = performance.now();
    for (let i = 0; i < times; i++) FS.close(FS.open(name, "r"));
    return ((performance.now() - start) * 1e6) / times;
  }

  /** Reads the whole file. Returns the ns of one read. */
  async readAll(): Promise<number> {
    const { text, errors } = await this.#php.run({ code: READ_ALL });
    const [ns, bytes] = text.startsWith("[") ? (JSON.parse(text) as [number, number]) : [0, 0];
    if (bytes !== FILE_SIZE) throw new Error(`PHP has read ${bytes} bytes: ${text}${errors}`);
    return ns / READS;
  }
}
