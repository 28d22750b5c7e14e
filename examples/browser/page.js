/** The page: it shows the tree, and changes it. */
import { createVfs } from "/threadfs/src/index.js";
import { NOTES, ownerOf } from "./notes.js";

const $ = (id) => document.getElementById(id);
const vfs = await createVfs({ maxBytes: 1 << 26 });
const { fs } = vfs;
fs.mkdirSync(NOTES);
fs.chmodSync(NOTES, 0o777);
fs.writeFileSync(`${NOTES}/read me.txt`, "Type here. The workers read this file too.\n", { mode: 0o666 });
fs.chmodSync(`${NOTES}/read me.txt`, 0o666);
// Browsers do not report the end of a worker: this notices it.
vfs.watchThreads();

/** The path of the open file, and its text as this page knows it. */
let open;
let known = "";
/** Paths that the last picture of the tree had. */
let shown = new Set();
let changes = 0;

function element(tag, { text, className, data = {}, onclick } = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  Object.assign(made.dataset, data);
  made.onclick = onclick ?? null;
  return made;
}

/** A line of the tree: undefined, if another thread has removed the file meanwhile. */
function line(entry) {
  const path = `${entry.parentPath}/${entry.name}`;
  const stats = fs.statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const item = element("li", { className: shown.has(path) ? "" : "new", data: { path, by: ownerOf(stats.uid) } });
  item.style.setProperty("--depth", path.split("/").length - 3);
  if (entry.isDirectory()) item.append(`${entry.name}/`);
  else
    item.append(
      element("button", { text: entry.name, className: path === open ? "open" : "", onclick: () => openFile(path) }),
    );
  return item;
}

function showTree() {
  const entries = fs.readdirSync(NOTES, { recursive: true, withFileTypes: true });
  entries.sort((a, b) => (`${a.parentPath}/${a.name}` < `${b.parentPath}/${b.name}` ? -1 : 1));
  const lines = entries.map(line).filter((item) => item !== undefined);
  $("tree").replaceChildren(...lines);
  shown = new Set(lines.map((item) => item.dataset.path));
}

function showFile() {
  const there = open !== undefined && fs.existsSync(open);
  $("text").disabled = !there;
  $("path").textContent = open === undefined ? "No file is open" : there ? open : `${open} is gone`;
  if (!there) return;
  const text = fs.readFileSync(open, "utf8");
  if (text === known) return;
  const { selectionStart, selectionEnd } = $("text");
  $("text").value = known = text;
  $("text").setSelectionRange(selectionStart, selectionEnd);
}

function openFile(path) {
  open = path;
  known = undefined;
  showFile();
  showTree();
}

$("text").addEventListener("input", ({ target }) => {
  known = target.value;
  fs.writeFileSync(open, known);
});
$("create").addEventListener("submit", (event) => {
  event.preventDefault();
  const path = `${NOTES}/${new FormData(event.target).get("name").replaceAll("/", "-")}`;
  fs.closeSync(fs.openSync(path, "a", 0o666));
  fs.chmodSync(path, 0o666);
  event.target.reset();
  openFile(path);
});

function startWorker(name) {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.postMessage({ handle: vfs.handle, name });
  let running = true;
  const item = element("li", { data: { by: name } });
  const pause = element("button", {
    text: "Pause",
    onclick() {
      running = !running;
      worker.postMessage({ running });
      pause.textContent = running ? "Pause" : "Go on";
    },
  });
  const end = element("button", {
    text: "Terminate",
    onclick() {
      // At any instruction: what it had half done is undone or completed, and its locks are released.
      worker.terminate();
      item.className = "ended";
      pause.disabled = end.disabled = true;
    },
  });
  item.append(element("span", { text: name, className: "grow" }), pause, end);
  $("threads").append(item);
}

function showFigures() {
  const { walks, endedRcu } = vfs.counters();
  const figures = { "paths looked up": walks, "of them without a lock or a store": endedRcu, changes };
  $("figures").replaceChildren(
    ...Object.entries(figures).flatMap(([name, value]) => [
      element("dt", { text: name }),
      element("dd", { text: value.toLocaleString(), data: { figure: name } }),
    ]),
  );
}

$("threads").append(element("li", { text: "this page", data: { by: "page" } }));
for (const name of ["ann", "ben"]) startWorker(name);
openFile(`${NOTES}/read me.txt`);
setInterval(showFigures, 500);

let due = false;
for await (const { type, name } of vfs.changes()) {
  changes++;
  if (name !== "") {
    $("changes").prepend(element("li", { text: `${type} ${name}` }));
    $("changes").children[8]?.remove();
  }
  if (due) continue;
  // Several changes are shown by one picture.
  due = true;
  requestAnimationFrame(() => {
    due = false;
    showTree();
    showFile();
  });
}
