/** chokidar, which takes `node:fs` without asking: it is replaced for it. */
import { dirname } from "node:path";
import chokidar, { type FSWatcher } from "chokidar";
import type { Fs } from "threadfs";

let watcher: FSWatcher | undefined;
const seen = new Set<string>();
let heard: (() => void) | undefined;

/** Watches a directory; returns what is there when chokidar is ready. */
export async function watch(_fs: Fs, dir: string, usePolling: boolean): Promise<string[]> {
  const made = chokidar.watch(dir, { usePolling, interval: 20, ignored: (path) => path.endsWith(".ignored") });
  watcher = made;
  made.on("all", (event, path) => {
    seen.add(`${event} ${path.slice(dir.length)}`);
    heard?.();
  });
  await new Promise<void>((resolve) => made.on("ready", resolve));
  return took();
}

/** What has happened since the last call, each event once. */
function took(): string[] {
  const events = [...seen].sort();
  seen.clear();
  return events;
}

/** Waits until an event has been heard, at most so many milliseconds; returns everything that has, null: not this event. */
export async function until(_fs: Fs, _dir: string, event: string, ms: number): Promise<string[] | null> {
  const end = performance.now() + ms;
  while (!seen.has(event)) {
    const left = end - performance.now();
    if (left <= 0) return null;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left);
      heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  return took();
}

export function fill(fs: Fs, dir: string): void {
  fs.mkdirSync(`${dir}/sub/deep`, { recursive: true });
  fs.writeFileSync(`${dir}/a.txt`, "a");
  fs.writeFileSync(`${dir}/sub/deep/b.txt`, "b");
  fs.writeFileSync(`${dir}/sub/c.ignored`, "c");
}

/** One change. The new contents are longer: looks at a file compare its size, whatever the clock says. */
export function change(fs: Fs, dir: string, what: string, name: string): void {
  const path = `${dir}/${name}`;
  if (what === "add") fs.writeFileSync(path, "new");
  if (what === "change") fs.appendFileSync(path, " and more");
  if (what === "unlink") fs.unlinkSync(path);
  if (what === "addDir") fs.mkdirSync(path);
  if (what === "unlinkDir") fs.rmSync(path, { recursive: true });
}

/**
 * Makes a change visible once more: chokidar emits an event before it watches what the event names, and when it polls it takes the state that it
 * finds then for the first one. So on a busy machine it does not see a change that comes right after an event, on the disk too.
 */
export function again(fs: Fs, dir: string, what: string, name: string): void {
  if (what === "change") change(fs, dir, what, name);
  fs.utimesSync(dirname(`${dir}/${name}`), new Date(), new Date());
}

export async function close(): Promise<void> {
  await watcher?.close();
}
