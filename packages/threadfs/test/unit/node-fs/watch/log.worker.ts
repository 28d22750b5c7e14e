/** A thread that changes a tree, or follows its changes. */
import { parentPort, workerData } from "node:worker_threads";
import { randomBelow } from "../../../../../cli/dist/support/random.js";
import { attachVfs } from "../../../../dist/src/index.js";

const { handle, work } = workerData as { handle: Parameters<typeof attachVfs>[0]; work: string };
const vfs = await attachVfs(handle);
const { fs } = vfs;

function storm(seed: number): void {
  const below = randomBelow(seed);
  const name = () => `/s${below(20)}`;
  const calls = [
    () => fs.writeFileSync(name(), "x"),
    () => fs.mkdirSync(name()),
    () => fs.renameSync(name(), name()),
    () => fs.unlinkSync(name()),
    () => fs.rmdirSync(name()),
    () => fs.linkSync(name(), name()),
    () => fs.chmodSync(name(), 0o600 + below(8)),
  ];
  for (let n = 0; n < 4000; n++) {
    try {
      calls[below(calls.length)]?.();
    } catch {
      // What others have made or removed meanwhile.
    }
  }
}

switch (work.split(" ")[0]) {
  case "names":
    for (let n = 0; n < 200; n++) {
      fs.writeFileSync(`/d/n${n}`, "x");
      fs.renameSync(`/d/n${n}`, `/d/m${n}`);
      fs.unlinkSync(`/d/m${n}`);
    }
    fs.mkdirSync("/d/last");
    vfs.close();
    break;
  case "follow":
    vfs.changes({ persistent: false });
    fs.watch("/", { persistent: false });
    if (work.endsWith("exit")) process.exit(0);
    if (work.endsWith("spin")) {
      parentPort?.postMessage("follows");
      for (;;);
    }
    vfs.close();
    break;
  default:
    storm(Number(work.split(" ")[1]));
    vfs.close();
}
