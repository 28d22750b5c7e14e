/** proper-lockfile, with the `fs` as its option: it locks a file by a directory beside it, whose time it renews. */
import { lock } from "proper-lockfile";
import type { Fs } from "threadfs";

/** Adds to a number in a file, under its lock: two that ran at a time would lose one. Returns how often the lock was taken. */
export async function count(fs: Fs, dir: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const release = await lock(`${dir}/number`, {
      fs,
      stale: 600_000,
      retries: { forever: true, minTimeout: 1, maxTimeout: 10 },
      onCompromised(error) {
        throw error;
      },
    });
    const number = Number(await fs.promises.readFile(`${dir}/number`, "utf8"));
    await new Promise((resolve) => setImmediate(resolve));
    await fs.promises.writeFile(`${dir}/number`, String(number + 1));
    await release();
  }
}

export function begin(fs: Fs, dir: string): void {
  fs.writeFileSync(`${dir}/number`, "0");
}

export function look(fs: Fs, dir: string): unknown {
  return [fs.readFileSync(`${dir}/number`, "utf8"), fs.readdirSync(dir)];
}
