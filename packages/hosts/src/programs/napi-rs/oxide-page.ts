/** tailwind's oxide in a page: a worker scans what the page's thread writes, in the binding's own threads. */
import { createVfs, type VfsHandle } from "threadfs";
import { reportOf } from "../report.js";
import { expect, PATIENCE_MS } from "../scenario.js";
import type { ScanResult } from "./oxide-worker.js";
import { fill, MODULES } from "./project.js";

const worker = new Worker(new URL("./oxide-worker.js", import.meta.url), { type: "module" });

function ask(request: VfsHandle | string): Promise<ScanResult> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data instanceof Error ? reject(data) : resolve(data));
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(request);
  });
}

reportOf(async () => {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  const { fs } = vfs;
  fill(fs);
  fs.writeFileSync("/page.html", '<p class="flex mt-4 underline">text</p>\n');
  await ask(vfs.handle);
  const { found, files, workers } = await ask("/");
  const has = (names: string[]) => names.every((name) => found.includes(name));
  expect("class names", has(["flex", "mt-4", "underline", `m${MODULES - 1}`]), true);
  expect("files", files.length, MODULES + 2);
  expect("workers that are attached", vfs.contexts()[0]?.threads, workers + 2);
  fs.writeFileSync("/page.html", '<p class="p-8">text</p>\n');
  fs.renameSync("/many/m0.ts", "/m0.css");
  const before = vfs.counters().walks;
  const end = Date.now() + PATIENCE_MS;
  const again = ask("/");
  // This thread does not return to its event loop, and the files are read all the same.
  while (vfs.counters().walks < before + MODULES && Date.now() < end);
  expect("lookups while this thread is busy", vfs.counters().walks >= before + MODULES, true);
  const second = await again;
  const changed = ["p-8", "underline", "m0"].map((name) => second.found.includes(name));
  expect("class names after a change", changed.join(), "true,false,false");
  expect("files after a rename", second.files.includes("/many/m0.ts"), false);
  worker.terminate();
  vfs.close();
});
