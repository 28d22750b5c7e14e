import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import git from "isomorphic-git";
import { attachVfs, createVfs } from "threadfs";

const dir = "/repository";

/** Makes three commits, each under a lock of the tree: git's index is one file, which both workers write. */
async function commit(vfs, name) {
  const { fs } = vfs;
  const author = { name, email: `${name}@example.org` };
  const lock = fs.openSync("/lock", "w");
  for (const text of ["one", "two", "three"]) {
    const filepath = `${name}/${text}.txt`;
    fs.mkdirSync(`${dir}/${name}`, { recursive: true });
    fs.writeFileSync(`${dir}/${filepath}`, text);
    await vfs.flock(lock, "ex");
    await git.add({ fs, dir, filepath });
    await git.commit({ fs, dir, author, message: `${name} adds ${text}` });
    await vfs.flock(lock, "un");
  }
}

if (isMainThread) {
  const vfs = await createVfs({ maxBytes: 1 << 28 });
  const { fs } = vfs;
  await git.init({ fs, dir, defaultBranch: "main" });
  const workers = ["alice", "bob"].map(
    (name) => new Worker(new URL(import.meta.url), { workerData: { name, handle: vfs.handle } }),
  );
  await Promise.all(workers.map((worker) => once(worker, "exit")));

  const log = await git.log({ fs, dir });
  console.log(
    log
      .map(({ commit }) => commit.message.trim())
      .sort()
      .join(", "),
  );
  const matrix = await git.statusMatrix({ fs, dir });
  const clean = matrix.filter(([, head, workdir, stage]) => head === workdir && workdir === stage);
  console.log(`${log.length} commits, ${clean.length} of ${matrix.length} files are as committed`);
} else {
  const vfs = await attachVfs(workerData.handle);
  await commit(vfs, workerData.name);
}
