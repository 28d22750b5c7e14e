/** Runs the command as a user does, with a time limit. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
/** Ends a command that hangs, in milliseconds. */
const TIMEOUT = 600_000;

export interface Ended {
  status: number | null;
  out: string;
  err: string;
}

/** Makes Node.js refuse a directory to the command, as the system refuses one to a user without permission: tests run as root too. */
const REFUSING = `
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
for (const name of ["readdirSync", "accessSync"]) {
  const real = fs[name];
  fs[name] = (path, ...rest) => {
    if (String(path).replace(/\\/$/, "") !== process.env.REFUSED) return real(path, ...rest);
    throw Object.assign(new Error("EACCES: permission denied, '" + path + "'"), { code: "EACCES" });
  };
}
syncBuiltinESMExports();
`;

/** Runs the command, to which one directory is refused. */
export function runRefused(refused: string, ...args: string[]): Promise<Ended> {
  const preload = `data:text/javascript,${encodeURIComponent(REFUSING)}`;
  return runWith({ REFUSED: refused, NODE_OPTIONS: `--import=${preload}` }, ...args);
}

export function run(...args: string[]): Promise<Ended> {
  return runWith({}, ...args);
}

/** Runs the command with more variables. */
export function runWith(env: Record<string, string>, ...args: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...process.env, ...env },
      timeout: TIMEOUT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, out, err }));
  });
}
