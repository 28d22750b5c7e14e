/** Runs programs. */
import { spawn } from "node:child_process";

/** Longest time of one command, in ms: ends one that hangs. A browser or a bundler takes seconds; the rest is for a busy machine. */
export const TIMEOUT_MS = 600_000;

export interface RunOptions {
  cwd: string;
  env?: Record<string, string>;
}

/** Runs a program to its end; returns its standard output. @throws Error with all of its output when it fails or is late */
export function run(program: string, args: readonly string[], { cwd, env = {} }: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const output = { all: "", out: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output.all += text;
      output.out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output.all += text;
    });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, TIMEOUT_MS);
    const failed = (why: string) => new Error(`${program} ${args.join(" ")} ${why}:\n${output.all}`);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(failed(error.message));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(output.out);
      else reject(failed(late ? `did not end within ${TIMEOUT_MS} ms` : `failed with ${code ?? signal}`));
    });
  });
}

/** Runs a program that prints "ok" when all of its checks hold. */
export async function runProgram(program: string, args: readonly string[], options: RunOptions): Promise<void> {
  const printed = await run(program, args, options);
  if (printed.trim() !== "ok") throw new Error(`${program} ${args.join(" ")} printed:\n${printed}`);
}
