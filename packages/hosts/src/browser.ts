/** Opens a page in Chromium and waits for the result that it reports. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { TIMEOUT_MS } from "./run.js";

/** Without these a page has no SharedArrayBuffer. */
export const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
} as const;

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

/** A server of a folder's files, to which the page posts its result. */
export interface PageServer {
  readonly port: number;
  /** The first result that is posted to /result. */
  readonly result: Promise<string>;
  close(): Promise<void>;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

/** Serves the files below a folder. */
export async function servePage(folder: string): Promise<PageServer> {
  let reported = (_result: string): void => {};
  const result = new Promise<string>((resolve) => {
    reported = resolve;
  });
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://page");
    if (request.method === "POST" && pathname === "/result") {
      reported(await bodyOf(request));
      response.writeHead(204, ISOLATION).end();
      return;
    }
    const file = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    try {
      const bytes = readFileSync(join(folder, normalize(file)));
      response.writeHead(200, { ...ISOLATION, "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
      response.end(bytes);
    } catch {
      response.writeHead(404, ISOLATION).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, result, close: () => closed(server) };
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Opens a page in Chromium until it has reported. @throws Error when the result is not "ok" */
export async function openPage(browser: string, url: string, result: Promise<string>): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), "threadfs-chromium-"));
  // The debugging port keeps a headless browser open after the page is loaded.
  const options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"];
  const child = spawn(browser, [...options, `--user-data-dir=${profile}`, url], {
    stdio: ["ignore", "ignore", "pipe"],
    // A group of its own, to end the browser with all of its processes.
    detached: true,
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no result within ${TIMEOUT_MS} ms; ${browser}:\n${said}`), TIMEOUT_MS);
  });
  const gone = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code) => resolve(`${browser} ended with ${code}:\n${said}`));
  });
  try {
    const got = await Promise.race([result, late, gone]);
    if (got !== "ok") throw new Error(`the page at ${url}: ${got}`);
  } finally {
    clearTimeout(timer);
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    await ended;
    child.stderr.destroy();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Serves a folder with an index.html and opens it. */
export async function openFolder(browser: string, folder: string, path = "/"): Promise<void> {
  const server = await servePage(folder);
  try {
    await openPage(browser, `http://127.0.0.1:${server.port}${path}`, server.result);
  } finally {
    await server.close();
  }
}
