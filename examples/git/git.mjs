import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import git from "isomorphic-git";
import { attachVfs, createVfs } from "threadfs";

const dir = "/repository";
const author = { name: "A worker", email: "worker@example.org" };

const jobs = {
  async commit(fs) {
    await git.init({ fs, dir, defaultBranch: "main" });
    for (const text of ["one", "two", "three"]) {
      fs.writeFileSync(`${dir}/${text}.txt`, text);
      await git.add({ fs, dir, filepath: `${text}.txt` });
      await git.commit({ fs, dir, author, message: `add ${text}` });
    }
  },
  async log(fs) {
    for (const { commit } of await git.log({ fs, dir })) console.log(commit.message.trim());
  },
};

if (isMainThread) {
  const vfs = await createVfs({ maxBytes: 1 << 28 });
  vfs.fs.mkdirSync(dir);
  for (const job of ["commit", "log"]) {
    await once(new Worker(new URL(import.meta.url), { workerData: { job, handle: vfs.handle } }), "exit");
  }
  console.log(vfs.fs.readdirSync(dir).join(" ")); // .git one.txt three.txt two.txt
} else {
  const { fs } = await attachVfs(workerData.handle);
  await jobs[workerData.job](fs);
}
