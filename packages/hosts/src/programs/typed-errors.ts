/** Each line that a comment announces is an error: the library's types do not fall back to `any`. */
import { createVfs } from "threadfs";

export async function use(): Promise<void> {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  // @ts-expect-error a string is not a number
  const size: number = vfs.fs.readFileSync("/file", "utf8");
  // @ts-expect-error no such call
  vfs.fs.readFileSyncs("/file");
  // @ts-expect-error a path is not a number
  vfs.fs.statSync(5);
  // @ts-expect-error an internal member
  vfs.context({}).calls;
  // @ts-expect-error bytes are not a string
  const text: string = vfs.fs.readFileSync("/file");
  if (size > 0) vfs.fs.writeFileSync("/file", text);
}
