/** Starts a program that Emscripten has compiled, on the directory /w of a tree. */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Context, Vfs } from "threadfs";
import { threadfs, wasmfsImports } from "threadfs/emscripten";
import { ENV, type Ended } from "../wasi/native.js";
import { type Built, moduleOf } from "./build.js";

/** What is used of a program. */
interface Module {
  callMain(args: string[]): number;
  ENV: Record<string, string>;
  FS?: {
    mkdir(path: string): void;
    mount(type: unknown, options: object, place: string): object;
    unmount(place: string): void;
    chdir(path: string): void;
  };
}

type Imports = Record<string, Record<string, unknown>>;
type Instantiate = (
  imports: Imports,
  done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
) => object;

/** Instantiates a program with WASMFS on a tree. */
function instantiateOn(tree: Vfs | Context, built: Built): Instantiate {
  const module = new WebAssembly.Module(readFileSync(moduleOf(built).replace(/mjs$/, "wasm")));
  return (imports, done) => {
    let instance: WebAssembly.Instance;
    wasmfsImports(imports, { vfs: tree, instance: () => instance });
    instance = new WebAssembly.Instance(module, imports as WebAssembly.Imports);
    done(instance, module);
    return {};
  };
}

export interface Started {
  /** Runs main(), again each time: the program keeps its memory. */
  run(args: readonly string[], input?: string): Ended;
  end(): void;
}

/** Starts a program. With threads it finds the tree by itself. */
export async function start(vfs: Vfs, built: Built): Promise<Started> {
  let ended: Ended = { code: null, stdout: "", stderr: "" };
  let input: number[] = [];
  const context = vfs.context();
  const { default: make } = (await import(pathToFileURL(moduleOf(built)).href)) as {
    default: (options: object) => Promise<Module>;
  };
  const program = await make({
    stdin: () => input.shift() ?? null,
    print: (line: string) => {
      ended.stdout += `${line}\n`;
    },
    printErr: (line: string) => {
      ended.stderr += `${line}\n`;
    },
    preRun: [({ ENV: variables }: Module) => Object.assign(variables, ENV)],
    ...(built.kind === "wasmfs" && !built.threaded && { instantiateWasm: instantiateOn(context, built) }),
  });
  // A program with WASMFS throws at the mere look at it.
  const FS = built.kind === "fs" ? program.FS : undefined;
  if (FS !== undefined) {
    FS.mkdir("/mnt");
    FS.mount(threadfs, { vfs, FS, root: "/w" }, "/mnt");
    FS.chdir("/mnt");
  }
  return {
    run(args, text = "") {
      ended = { code: null, stdout: "", stderr: "" };
      input = [...Buffer.from(text)];
      const { exitCode } = process;
      ended.code = program.callMain([...args]);
      // The program's is none of the process.
      process.exitCode = exitCode;
      return ended;
    },
    end() {
      FS?.chdir("/");
      FS?.unmount("/mnt");
      context.close();
    },
  };
}
