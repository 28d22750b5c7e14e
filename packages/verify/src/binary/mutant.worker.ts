/** Compiles cores, one after the other: in a thread that lasts, where the compiler has been compiled itself, it takes half as long. */
import { parentPort } from "node:worker_threads";
import asc from "assemblyscript/asc";

let last = Promise.resolve();

parentPort?.on("message", ({ id, baseDir, args }) => {
  last = last.then(async () => {
    const { error, stderr } = await asc.main([...args, "--baseDir", baseDir]);
    parentPort?.postMessage({ id, error: error ? `${error.message}\n${stderr.toString()}` : undefined });
  });
});
