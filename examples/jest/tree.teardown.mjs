/** Runs when all test files have ended, in the main thread. */
export default function teardown() {
  const { fs } = globalThis.vfs;
  for (const name of fs.readdirSync("/saved")) console.log(name, fs.readFileSync(`/saved/${name}`, "utf8"));
  globalThis.vfs.close();
}
