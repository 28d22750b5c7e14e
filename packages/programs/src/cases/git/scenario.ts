/** isomorphic-git on any `fs`: the parts of the scenario, each for one worker. */
import git from "isomorphic-git";
import type { Fs } from "threadfs";

/** Everything that goes into a commit's hash is fixed. */
const author = { name: "A", email: "a@example.org", timestamp: 1_700_000_000, timezoneOffset: -60 };

/** Makes the repository and its first commit. */
export async function begin(fs: Fs, dir: string): Promise<string> {
  await git.init({ fs, dir, defaultBranch: "main" });
  fs.mkdirSync(`${dir}/sub`);
  fs.writeFileSync(`${dir}/a.txt`, "a\n");
  fs.writeFileSync(`${dir}/run.sh`, "#!/bin/sh\n", { mode: 0o755 });
  fs.writeFileSync(`${dir}/sub/b.txt`, "b\n");
  fs.symlinkSync("sub/b.txt", `${dir}/link`);
  await git.add({ fs, dir, filepath: "." });
  return git.commit({ fs, dir, author, message: "first" });
}

/** Makes a branch with a commit that changes a file and removes another. */
export async function branch(fs: Fs, dir: string): Promise<string> {
  await git.branch({ fs, dir, ref: "topic", checkout: true });
  fs.writeFileSync(`${dir}/sub/c.txt`, "c\n");
  await git.add({ fs, dir, filepath: "sub/c.txt" });
  await git.remove({ fs, dir, filepath: "run.sh" });
  await fs.promises.rm(`${dir}/run.sh`);
  const oid = await git.commit({ fs, dir, author, message: "on a branch" });
  await git.checkout({ fs, dir, ref: "main" });
  return oid;
}

/** Changes main, merges the branch and checks the result out. */
export async function merge(fs: Fs, dir: string): Promise<unknown> {
  fs.appendFileSync(`${dir}/a.txt`, "more\n");
  await git.add({ fs, dir, filepath: "a.txt" });
  await git.commit({ fs, dir, author, message: "on main" });
  const merged = await git.merge({ fs, dir, ours: "main", theirs: "topic", author, committer: author });
  await git.checkout({ fs, dir, ref: "main" });
  return merged;
}

/** What `git log`, `git status` and `ls` print. */
export async function look(fs: Fs, dir: string): Promise<unknown> {
  const files = fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) => !name.startsWith(".git"));
  return {
    log: (await git.log({ fs, dir })).map(({ oid, commit }) => [oid, commit.message, commit.parent]),
    status: await git.statusMatrix({ fs, dir }),
    branches: await git.listBranches({ fs, dir }),
    current: await git.currentBranch({ fs, dir }),
    link: fs.readlinkSync(`${dir}/link`),
    files: files.sort(),
    modes: files.map((name) => fs.lstatSync(`${dir}/${name}`).mode.toString(8)),
  };
}

/** Writes all objects of a commit into a pack, reads it back by its index. */
export async function pack(fs: Fs, dir: string): Promise<unknown> {
  const [head] = await git.log({ fs, dir, depth: 1 });
  const oid = head?.oid ?? "";
  const { filename } = await git.packObjects({ fs, dir, oids: [oid], write: true });
  const filepath = `.git/objects/pack/${filename}`;
  const { oids } = await git.indexPack({ fs, dir, filepath });
  fs.rmSync(`${dir}/.git/objects/${oid.slice(0, 2)}`, { recursive: true });
  return [oids, (await git.readCommit({ fs, dir, oid })).commit.message];
}

/** Commits many times; the number of the commit is its message. */
export async function commitMany(fs: Fs, dir: string, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    fs.writeFileSync(`${dir}/a.txt`, String(n));
    await git.add({ fs, dir, filepath: "a.txt" });
    await git.commit({ fs, dir, author, message: String(n) });
  }
}

/**
 * Reads the log until it has that many commits of `commitMany`. Returns the log as it is then.
 * @throws Error when a log lacks a commit between two others, or is shorter than an earlier one
 */
export async function followLog(fs: Fs, dir: string, count: number): Promise<string[]> {
  let seen = 0;
  for (;;) {
    // The program empties a branch's file before it writes it: in between the branch has no commit, on node:fs too.
    const log = await git.log({ fs, dir }).catch(({ code }: { code?: string }) => {
      if (code !== "NotFoundError") throw new Error(`the log fails with ${code}`);
      return undefined;
    });
    const messages = log?.map(({ commit }) => commit.message.trim()).filter((message) => /^\d+$/.test(message));
    if (messages !== undefined) {
      const wanted = Array.from(messages, (_, i) => String(messages.length - i));
      if (messages.length < seen || messages.join() !== wanted.join()) throw new Error(`a log of ${messages}`);
      seen = messages.length;
      if (seen === count) return messages;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
