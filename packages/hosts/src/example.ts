/** The example of a page: examples/browser, with the packed library, as its README says. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { TestBrowser } from "./browser.js";
import type { Case } from "./cases.js";
import { HERE } from "./install.js";
import type { Project } from "./project.js";
import { TIMEOUT_MS } from "./run.js";

const EXAMPLE = join(HERE, "..", "..", "examples", "browser");

/** Waits until a server prints its address. */
export function addressOf(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const timer = setTimeout(() => reject(new Error(`${name} does not start:\n${said}`)), TIMEOUT_MS);
    const look = (text: string) => {
      said += text;
      const [url] = /http:\/\/(?:127\.0\.0\.1|localhost):\d+\//.exec(said) ?? [];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout?.setEncoding("utf8").on("data", look);
    child.stderr?.setEncoding("utf8").on("data", look);
    child.once("exit", () => reject(new Error(`${name} ended:\n${said}`)));
  });
}

/** Starts a server, and ends it when it has been used. */
export async function withServer(
  child: ChildProcess,
  name: string,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    await use(await addressOf(child, name));
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

/** The page shows what all three threads do, and lives on without a worker that is terminated in the middle of it. */
async function lookAt(page: Page): Promise<void> {
  const line = (text: string) => page.locator("#tree li", { hasText: text });
  // Both workers have written, and the page shows whose files are whose.
  await page.locator('#tree li[data-by="ann"] button').first().waitFor();
  await page.locator('#tree li[data-by="ben"] button').first().waitFor();
  await page.getByPlaceholder("new file").fill("mine");
  await page.getByText("Create", { exact: true }).click();
  await line("mine").waitFor();
  // What is typed here a worker reads, and answers in the same file.
  await page.locator("#text").fill("a word of the page\n");
  await page.waitForFunction(() => document.querySelector("textarea")?.value.includes("has read"));
  await page.getByText("Terminate", { exact: true }).first().click();
  const changes = () => page.evaluate(() => document.querySelector("[data-figure=changes]")?.textContent);
  const before = await changes();
  await page.waitForFunction((text) => document.querySelector("[data-figure=changes]")?.textContent !== text, before);
  await page.locator("#threads .ended").waitFor();
}

/** The case of the example in a browser. */
export function exampleCase(project: Project, browser: TestBrowser): Case {
  return {
    name: `${browser.name}, examples/browser`,
    run: () => {
      const folder = join(project.dir, `example-${browser.name.replace(/\W+/g, "-")}`);
      cpSync(EXAMPLE, folder, { recursive: true });
      const child = spawn(process.execPath, ["serve.mjs"], { cwd: folder, env: { ...process.env, PORT: "0" } });
      return withServer(child, "serve.mjs", (url) => browser.usePage(url, lookAt));
    },
  };
}
