/** Opens pages in Chromium and Firefox and waits for the results that they report. */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { type Browser, type BrowserType, chromium, firefox, type LaunchOptions, type Page } from "playwright-core";
import { TIMEOUT_MS } from "./run.js";

/** The headers of a page. */
export type Headers = Readonly<Record<string, string>>;

/** Without these a page has no SharedArrayBuffer. */
export const ISOLATION: Headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
/** The same for a page that is to be isolated by itself, in browsers that know the header. */
export const DOCUMENT_ISOLATION: Headers = { "Document-Isolation-Policy": "isolate-and-require-corp" };

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
export async function servePage(folder: string, headers: Headers = ISOLATION): Promise<PageServer> {
  let reported = (_result: string): void => {};
  const result = new Promise<string>((resolve) => {
    reported = resolve;
  });
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://page");
    if (request.method === "POST" && pathname === "/result") {
      reported(await bodyOf(request));
      response.writeHead(204, headers).end();
      return;
    }
    const file = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    try {
      const bytes = readFileSync(join(folder, normalize(file)));
      response.writeHead(200, { ...headers, "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
      response.end(bytes);
    } catch {
      response.writeHead(404, headers).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, result, close: () => closed(server) };
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** A running browser. */
export class TestBrowser {
  /** With its version. */
  readonly name: string;
  /** Whether it knows {@link DOCUMENT_ISOLATION}. */
  readonly isolatesDocuments: boolean;
  readonly #browser: Browser;

  private constructor(name: string, isolatesDocuments: boolean, browser: Browser) {
    const [version] = browser.version().split(".");
    this.name = `${name} ${version}`;
    this.isolatesDocuments = isolatesDocuments;
    this.#browser = browser;
  }

  static async chromium(executablePath: string): Promise<TestBrowser> {
    return TestBrowser.#launch("Chromium", true, chromium, { executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  }

  /** A Firefox as it is published, by the protocol WebDriver BiDi. */
  static async firefox(executablePath: string): Promise<TestBrowser> {
    return TestBrowser.#launch("Firefox", false, firefox, { executablePath, channel: "moz-firefox" });
  }

  static async #launch(name: string, isolates: boolean, type: BrowserType, options: LaunchOptions) {
    return new TestBrowser(name, isolates, await type.launch({ ...options, timeout: TIMEOUT_MS }));
  }

  /** Opens a page until it has reported. @throws Error when the result is not "ok" */
  openPage(url: string, result: Promise<string>): Promise<void> {
    return this.usePage(url, async (page) => {
      const gone = new Promise<string>((resolve) => page.once("crash", () => resolve("the page crashed")));
      const got = await Promise.race([result, gone]);
      if (got !== "ok") throw new Error(got);
    });
  }

  /** Opens a page and does something there. @throws Error with what the page has said, also when it takes longer than `limitMs` */
  async usePage(url: string, use: (page: Page) => Promise<void>, limitMs = TIMEOUT_MS): Promise<void> {
    const page = await this.#browser.newPage();
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    page.setDefaultTimeout(limitMs);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not done within ${limitMs} ms`)), limitMs);
    });
    try {
      await page.goto(url);
      await Promise.race([use(page), late]);
    } catch (cause) {
      throw new Error(`the page at ${url}: ${cause}\n${said.join("\n")}`, { cause });
    } finally {
      clearTimeout(timer);
      await page.close();
    }
  }

  /** Serves a folder with an index.html and opens it. */
  async openFolder(folder: string, headers: Headers = ISOLATION, path = "/"): Promise<void> {
    const server = await servePage(folder, headers);
    try {
      await this.openPage(`http://127.0.0.1:${server.port}${path}`, server.result);
    } finally {
      await server.close();
    }
  }

  close(): Promise<void> {
    return this.#browser.close();
  }
}
