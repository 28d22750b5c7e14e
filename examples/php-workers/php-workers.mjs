// A PHP application that two workers serve from one tree, with its database in it.
import { createServer } from "node:http";
import { Worker } from "node:worker_threads";
import { createVfs } from "threadfs";

const REQUESTS = 20;
const [port] = process.argv.slice(2);

const vfs = await createVfs({ maxBytes: 1 << 27 });
await vfs.importDirectory(new URL("app", import.meta.url), "/app");
vfs.fs.mkdirSync("/app/data");

/** A worker with PHP: answers one request after the other. */
async function startWorker(number) {
  const worker = new Worker(new URL("worker.mjs", import.meta.url), { workerData: { number, handle: vfs.handle } });
  const answers = new Map();
  await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  worker.on("message", ({ id, text }) => answers.get(id)(text));
  let last = 0;
  return {
    end: () => worker.terminate(),
    request: (method, body) =>
      new Promise((resolve) => {
        const id = ++last;
        answers.set(id, resolve);
        worker.postMessage({ id, method, body });
      }),
  };
}

const workers = await Promise.all([1, 2].map(startWorker));
let turn = 0;
const server = createServer(async (request, response) => {
  const chunks = await request.toArray();
  const worker = workers[turn++ % workers.length];
  response.end(await worker.request(request.method, new Uint8Array(Buffer.concat(chunks))));
});
await new Promise((resolve) => server.listen(port ?? 0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}/`;

if (port !== undefined) {
  console.log(`serving ${url}: curl -d "hello" ${url}`);
} else {
  // Both workers write the database and the counter at the same time.
  await Promise.all(Array.from({ length: REQUESTS }, (_, i) => fetch(url, { method: "POST", body: `entry ${i}` })));
  console.log(await (await fetch(url)).text());

  // A new version of a file is there for all workers with one rename.
  const page = vfs.fs.readFileSync("/app/page.php", "utf8");
  vfs.fs.writeFileSync("/app/page.new", page.replace("' entries after '", "' entries, '"));
  vfs.fs.renameSync("/app/page.new", "/app/page.php");
  console.log(await (await fetch(url)).text());
  console.log(await (await fetch(url)).text());
  server.close();
  await Promise.all(workers.map(({ end }) => end()));
}
