/** A worker: it writes notes, answers those of the others, moves and removes them. */
import { attachVfs } from "/threadfs/src/index.js";
import { NOTES, USERS } from "./notes.js";

const WORDS = "tea rain maps owls keys moss salt tin wool ink fog rye".split(" ");
const any = (list) => list[Math.floor(Math.random() * list.length)];

/** One of these at a time. What another thread has moved or removed meanwhile is not there: that is no error. */
const ACTIONS = [
  function write(fs, me) {
    fs.mkdirSync(`${NOTES}/${me}`, { recursive: true });
    fs.writeFileSync(`${NOTES}/${me}/${any(WORDS)}.txt`, `${me} thinks of ${any(WORDS)}.\n`);
  },
  function answer(fs, me) {
    const files = fs.readdirSync(NOTES, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    if (files.length === 0) return;
    const { parentPath, name } = any(files);
    const path = `${parentPath}/${name}`;
    const word =
      fs
        .readFileSync(path, "utf8")
        .match(/\p{L}+/gu)
        ?.at(-1) ?? "nothing";
    if (fs.statSync(path).size < 2000) fs.appendFileSync(path, `${me} has read "${word}".\n`);
  },
  function move(fs, me) {
    const [one, other] = [any(WORDS), any(WORDS)];
    fs.renameSync(`${NOTES}/${me}/${one}.txt`, `${NOTES}/${me}/${other}.txt`);
  },
  function remove(fs, me) {
    fs.unlinkSync(`${NOTES}/${me}/${any(WORDS)}.txt`);
  },
];

let running = true;
addEventListener("message", async ({ data }) => {
  if (data.handle === undefined) {
    running = data.running;
    return;
  }
  const { handle, name } = data;
  const vfs = await attachVfs(handle);
  // Its files are its own, and everyone may write them.
  const { fs } = vfs.context({ uid: USERS[name], umask: 0 });
  for (;;) {
    if (running) {
      try {
        any(ACTIONS)(fs, name);
      } catch (error) {
        if (error.code !== "ENOENT") throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 150 + 300 * Math.random()));
  }
});
