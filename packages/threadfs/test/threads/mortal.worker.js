/** Works on a tree until it is ended, or ends in the way it is told to. Tells when it has begun. */
import { parentPort, workerData } from "node:worker_threads";
import { POINT } from "../../dist/abi/abi.js";
import { attachVfs } from "../../dist/src/index.js";

const { handle, how } = workerData;

const stand = () => {
  parentPort.postMessage({});
  // Until it is terminated, which ends this wait.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
};
let armed = false;
const point = (id) => {
  if (armed && id === POINT.MOVE_NAMES) stand();
};

const vfs = await attachVfs(handle, how.startsWith("stand") ? { point } : {});
const { fs } = vfs;

function work(n) {
  fs.writeFileSync(`/d/${n}`, "text ".repeat(n % 900));
  fs.renameSync(`/d/${n}`, `/d/r${n}`);
  fs.mkdirSync(`/d/dir${n}`);
  fs.linkSync(`/d/r${n}`, `/d/dir${n}/${"long".repeat(20)}`);
  fs.rmSync(`/d/dir${n}`, { recursive: true });
  fs.unlinkSync(`/d/r${n}`);
}

/** Calls at the depth where the stack is nearly full, and goes up a step as long as there is not enough of it to begin. */
function deep(call, padding) {
  try {
    deep(call, padding);
  } catch {
    call(padding);
  }
}

/** Makes calls with less and less stack, each time on a fresh attachment, until some were torn in the core. `close`: and closes it. */
async function overflow({ close }) {
  let tries = 0;
  let torn = 0;
  for (; tries < 200 && torn < 5; tries++) {
    const attachment = await attachVfs(handle);
    deep((padding) => {
      // Frames of another size, so that the stack ends in another place.
      if (padding > 0) [0].map(() => [0].map(() => call(padding)));
      else call(padding);
    }, tries % 3);
    if (close) attachment.close();
    function call() {
      try {
        attachment.fs.writeFileSync(`/d/o${tries}`, "x");
        attachment.fs.renameSync(`/d/o${tries}`, `/d/p${tries}`);
      } catch (error) {
        if (error.code !== "ERR_THREADFS_PANIC") throw error;
        torn++;
      }
    }
  }
  return { torn, tries };
}

if (how.startsWith("stand")) {
  fs.writeFileSync("/d/x", "");
  armed = true;
  fs.renameSync("/d/x", "/d/y");
} else {
  parentPort.postMessage({});
  if (how.startsWith("overflow")) {
    parentPort.postMessage(await overflow({ close: how === "overflow" }));
    setInterval(() => {}, 1000);
  } else {
    const until = how === "terminate" ? Number.POSITIVE_INFINITY : 300;
    for (let n = 0; n < until; n++) work(n);
    if (how === "throw") throw new Error("the end of this worker");
    if (how === "exit") process.exit(3);
  }
}
