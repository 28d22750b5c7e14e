/** A thread that locks files of a tree. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "../../../../dist/src/index.js";

const { handle, work } = workerData as { handle: VfsHandle; work: string };
const vfs = await attachVfs(handle, { closeOnExit: true });
const { fs } = vfs;
const fd = fs.openSync("/f", "r+");

/** Adds to the number in the file, under a lock. */
function count(lock: () => void, unlock: () => void): void {
  for (let n = 0; n < 200; n++) {
    lock();
    const bytes = Buffer.alloc(16);
    fs.readSync(fd, bytes, 0, 16, 0);
    fs.writeSync(fd, String(Number(bytes.toString()) + 1).padEnd(16), 0);
    unlock();
  }
  vfs.close();
}

const range = (type: "wr" | "un", ofd: boolean) => vfs.fcntlLockSync(fd, { type, ofd });

switch (work) {
  case "flock":
    count(
      () => vfs.flockSync(fd, "ex"),
      () => vfs.flockSync(fd, "un"),
    );
    break;
  case "ofd":
    count(
      () => range("wr", true),
      () => range("un", true),
    );
    break;
  case "range":
    count(
      () => range("wr", false),
      () => range("un", false),
    );
    break;
  case "wait":
    parentPort?.postMessage("waits");
    vfs.flockSync(fd, "ex");
    parentPort?.postMessage("has it");
    break;
  default:
    // Locks the file in every way, and stays.
    vfs.flockSync(fd, "ex");
    vfs.fcntlLockSync(fd, { type: "wr", start: 0, length: 10, ofd: true });
    vfs.fcntlLockSync(fd, { type: "wr", start: 20, length: 10 });
    parentPort?.postMessage("locked");
    for (;;);
}
