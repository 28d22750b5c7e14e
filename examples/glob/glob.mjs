import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import fastGlob from "fast-glob";
import { fdir } from "fdir";
import { glob } from "glob";
import { attachVfs, createVfs } from "threadfs";
import { glob as tinyGlob } from "tinyglobby";

if (isMainThread) {
  const { fs, handle } = await createVfs({ maxBytes: 1 << 28 });
  await once(new Worker(new URL(import.meta.url), { workerData: handle }), "exit");
  // Without `cwd` they would take the working directory of the process, which is none of the tree's.
  const cwd = "/project";
  const found = [
    await glob("**/*.ts", { fs, cwd }),
    await fastGlob("**/*.ts", { fs, cwd }),
    await tinyGlob("**/*.ts", { fs, cwd }),
    await new fdir({ fs })
      .withRelativePaths()
      .filter((path) => path.endsWith(".ts"))
      .crawl(cwd)
      .withPromise(),
  ];
  for (const paths of found) console.log(paths.sort().join(" ")); // lib/b.ts src/a.ts
} else {
  const { fs } = await attachVfs(workerData);
  for (const path of ["/project/src/a.ts", "/project/lib/b.ts", "/project/lib/c.js"]) {
    fs.mkdirSync(path.replace(/[^/]*$/, ""), { recursive: true });
    fs.writeFileSync(path, "");
  }
}
