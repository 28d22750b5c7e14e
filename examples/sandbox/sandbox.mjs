import { once } from "node:events";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { createVfs } from "threadfs";

if (isMainThread) {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  vfs.fs.writeFileSync("/secret", "the key");
  vfs.fs.mkdirSync("/work");
  const agent = vfs.context({ root: "/work", resolve: "beneath" });

  /** Checks a path and then uses it: what the path leads to may be another file by then. */
  async function readChecked(path) {
    const real = vfs.fs.realpathSync(`/work/${path}`);
    if (!real.startsWith("/work/")) throw new Error("not below /work");
    await new Promise((resolve) => {
      approve = resolve; // the user is asked
    });
    return vfs.fs.readFileSync(`/work/${path}`, "utf8");
  }

  /** The calls that the worker may ask for. Those of `agent` need no check: the context cannot leave its root. */
  const calls = {
    mkdir: (path) => agent.fs.mkdirSync(path),
    write: (path, text) => agent.fs.writeFileSync(path, text),
    symlink: (body, path) => agent.fs.symlinkSync(body, path),
    exchange: (one, other) => agent.linux.renameat2Sync(one, other, { exchange: true }),
    link: (from, to) => agent.fs.linkSync(from, to),
    read: (path) => agent.fs.readFileSync(path, "utf8"),
  };
  const worker = new Worker(new URL(import.meta.url));
  let approve;
  worker.on("message", async ({ id, name, args }) => {
    if (name === "print") return console.log(...args);
    if (name === "approve") return approve();
    try {
      const result = name === "readChecked" ? await readChecked(...args) : calls[name](...args);
      worker.postMessage({ id, result });
    } catch ({ code, message }) {
      worker.postMessage({ id, result: code ?? message });
    }
  });
  await once(worker, "exit");
} else {
  let last = 0;
  const send = (name, ...args) => parentPort.postMessage({ id: ++last, name, args });
  const ask = async (name, ...args) => {
    const id = last + 1;
    send(name, ...args);
    for (;;) {
      const [reply] = await once(parentPort, "message");
      if (reply.id === id) return reply.result;
    }
  };
  await ask("mkdir", "dir");
  await ask("write", "dir/secret", "my own");
  await ask("symlink", "..", "trap");
  // The path leads to a file of the worker's while it is checked.
  const tricked = ask("readChecked", "dir/secret");
  send("exchange", "dir", "trap");
  send("approve");
  send("print", "checked, then used:", await tricked);
  send("exchange", "dir", "trap");
  for (const path of ["../secret", "trap/secret", "dir/../../secret"]) send("print", path, await ask("read", path));
  send("print", "link", await ask("link", "../secret", "mine"));
  await ask("symlink", "/secret", "absolute");
  send("print", "absolute", await ask("read", "absolute"));
  send("print", "dir/secret:", await ask("read", "dir/secret"));
}
