/** Every function of fs-extra in each of its forms: the same steps by promises, by callbacks and synchronously. */
import fse from "fs-extra";
import type { Fs } from "threadfs";

export { look } from "./scenario.js";

export type Form = "promise" | "callback" | "sync";

/** A step: the name of a function, and its arguments. A text that begins with "/" is a path in the form's directory. */
type Step = [name: string, ...args: unknown[]];

const STEPS: readonly Step[] = [
  ["ensureDir", "/a/b"],
  ["mkdirs", "/a/c", 0o700],
  ["mkdirp", "/a/b"],
  ["outputFile", "/a/b/file", "text"],
  ["ensureFile", "/a/c/empty"],
  ["createFile", "/a/b/file/none"],
  ["ensureLink", "/a/b/file", "/links/hard"],
  ["createLink", "/none", "/links/none"],
  ["ensureSymlink", "/a/b/file", "/links/soft"],
  ["createSymlink", "/a", "/links/dir", "dir"],
  ["outputJson", "/json/a.json", { a: [1, null] }, { spaces: 2 }],
  ["outputJSON", "/json/b.json", {}, { EOL: "\r\n" }],
  ["writeJson", "/none/c.json", {}],
  ["writeJSON", "/json/c.json", [1]],
  ["readJson", "/json/a.json"],
  ["readJSON", "/a/b/file"],
  ["readJson", "/a/b/file", { throws: false }],
  ["pathExists", "/json/a.json"],
  ["pathExists", "/json/none"],
  ["copy", "/a", "/copied"],
  ["copy", "/a", "/a/inside"],
  ["copy", "/none", "/copied"],
  ["copy", "/links", "/followed", { dereference: true }],
  ["move", "/copied", "/moved/deep"],
  ["move", "/a", "/moved"],
  ["move", "/json/b.json", "/json/c.json", { overwrite: true }],
  ["emptyDir", "/followed"],
  ["remove", "/links"],
  ["remove", "/none"],
  ["access", "/a/b/file", fse.constants.R_OK],
  ["access", "/none"],
  ["appendFile", "/a/b/file", " and more"],
  ["chmod", "/a/b/file", 0o600],
  ["chown", "/a/b/file", 0, 0],
  ["copyFile", "/a/b/file", "/a/c/copy"],
  ["copyFile", "/a/b/file", "/a/c/copy", fse.constants.COPYFILE_EXCL],
  ["cp", "/a", "/a-again", { recursive: true }],
  ["lchown", "/a/b/file", 0, 0],
  ["link", "/a/b/file", "/linked"],
  ["lutimes", "/linked", 1, 2],
  ["mkdir", "/a"],
  ["readFile", "/linked", "utf8"],
  ["readFile", "/none"],
  ["readdir", "/a/c"],
  ["rename", "/linked", "/renamed"],
  ["rename", "/linked", "/renamed"],
  ["symlink", "renamed", "/soft"],
  ["readlink", "/soft"],
  ["rm", "/a-again", { recursive: true }],
  ["rmdir", "/a"],
  ["rmdir", "/moved/deep/b/none"],
  ["truncate", "/renamed", 2],
  ["unlink", "/soft"],
  ["unlink", "/a"],
  ["utimes", "/renamed", 3, 4],
  ["writeFile", "/renamed", Buffer.from("bytes"), { flag: "a" }],
];

type Functions = Record<string, (...args: unknown[]) => unknown>;

/** Calls a function in a form; resolves to its result, or rejects with its error. */
function callIn(form: Form, name: string, args: unknown[]): unknown {
  const functions = fse as unknown as Functions;
  if (form === "sync") return functions[`${name}Sync`]?.(...args);
  if (form === "promise") return functions[name]?.(...args);
  return new Promise((resolve, reject) => {
    // Older functions of fs-extra tell a boolean in the place of the error.
    functions[name]?.(...args, (error: unknown, result: unknown) =>
      error instanceof Error ? reject(error) : resolve(result),
    );
  });
}

/** Takes all steps in a form, in its directory of its own. Returns what each came to, without that directory's name. */
export async function forms(fs: Fs, dir: string, form: Form): Promise<unknown> {
  const root = `${dir}/${form}`;
  fs.mkdirSync(root);
  const results: unknown[] = [];
  for (const [name, ...args] of STEPS) {
    const given = args.map((arg) => (typeof arg === "string" && arg.startsWith("/") ? root + arg : arg));
    try {
      results.push([name, String((await callIn(form, name, given)) ?? "")]);
    } catch (error) {
      const { code, message, syscall } = error as NodeJS.ErrnoException;
      results.push([name, code, message, syscall].map((text) => text?.replaceAll(root, "ROOT")));
    }
  }
  return results;
}
