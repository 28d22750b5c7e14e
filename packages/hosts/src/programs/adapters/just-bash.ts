/** What a shell of just-bash asks of its file system, in every host: packages/programs has the shell itself, which runs in Node alone. */
import type { Vfs } from "threadfs";
import { ThreadFs } from "threadfs/just-bash";
import { expect } from "../scenario.js";

export async function useShell(vfs: Vfs): Promise<void> {
  const fs = new ThreadFs(vfs);
  await fs.writeFile("/shell/new/f", "/wCA", "base64");
  await fs.appendFile("/shell/new/f", "é", "utf8");
  expect("the bytes of two encodings", await fs.readFile("/shell/new/f", "hex"), "ff0080c3a9");
  expect("bytes as characters", await fs.readFileBytes("/shell/new/f"), "\xff\x00\x80\xc3\xa9");
  await fs.cp("/shell/new", "/shell/copy", { recursive: true });
  await fs.symlink("copy", "/shell/link");
  const found = await fs.readdirWithFileTypes("/shell");
  const shown = found.map(({ name, isSymbolicLink }) => (isSymbolicLink ? `${name}@` : name)).join(" ");
  expect("the entries of a directory", shown, "copy link@ new");
  const message = await fs.stat("/shell/none").catch((error: Error) => error.message);
  expect("an error's message", message, "ENOENT: no such file or directory, stat '/shell/none'");
  await fs.rm("/shell", { recursive: true });
  expect("that nothing is left", fs.getAllPaths().includes("/shell"), false);
}
