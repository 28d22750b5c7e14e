import { createVfs } from "threadfs";

/** Runs once, in the main thread: makes the tree of all test files. */
export default async function setup({ provide }) {
  const vfs = await createVfs({ maxBytes: 1 << 28 });
  const { fs } = vfs;
  fs.mkdirSync("/fixtures");
  fs.writeFileSync("/fixtures/config.json", '{ "color": "green" }');
  provide("tree", vfs.handle);
  return function teardown() {
    for (const name of fs.readdirSync("/saved")) console.log(name, fs.readFileSync(`/saved/${name}`, "utf8"));
    vfs.close();
  };
}
