/** The files that a program leaves, on a tree or on the disk. */
import type { Vfs } from "threadfs";

export type Calls = Pick<Vfs["fs"], "readdirSync" | "lstatSync" | "readlinkSync" | "readFileSync">;

/** All files below a directory: mode, links and contents, the last ones by their lines in order where threads have written them. */
export function treeOf(fs: Calls, dir: string, sorted = false): string[] {
  return (fs.readdirSync(dir) as string[]).sort().flatMap((name) => {
    const path = `${dir}/${name}`;
    const at = fs.lstatSync(path);
    const line = `${name} ${at.mode.toString(8)} ${at.isDirectory() ? "" : at.nlink}`;
    if (at.isDirectory()) return [line, ...treeOf(fs, path, sorted).map((below) => `${name}/${below}`)];
    if (at.isSymbolicLink()) return [`${line} -> ${fs.readlinkSync(path)}`];
    const text = fs.readFileSync(path, "latin1") as string;
    return [`${line} ${sorted ? text.split("\n").sort().join("\n") : text}`];
  });
}
