/** Python on a tree: a program that asks more of FS than most, such as mmap(), dup(), pread() and scandir(). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVfs } from "threadfs";
import { threadfs } from "threadfs/emscripten";
import type { ProgramFs } from "./program.js";

interface Pyodide {
  FS: ProgramFs;
  runPython(code: string): string;
}

// Without its name as a literal the compiler does not look for types, which want those of the DOM.
const NAME: string = "pyodide";

/** Each line of results is what Python says on Linux. */
const PROGRAM = `
import json, mmap, os, pathlib, shutil, sys
results = []
dir = pathlib.Path('/mnt')
(dir / 'a').mkdir()
(dir / 'a' / 'file').write_text('hello')
file = open('/mnt/a/file', 'r+b')
os.unlink('/mnt/a/file')
file.write(b'HE')
file.seek(0)
results.append([os.fstat(file.fileno()).st_nlink, file.read().decode()])
for line in ('one', 'two'):
    with open('/mnt/log', 'a') as log: log.write(line + '\\n')
results.append(open('/mnt/log').read())
os.symlink('log', '/mnt/link')
results.append([(e.name, e.is_dir(), e.is_symlink()) for e in sorted(os.scandir('/mnt'), key=lambda e: e.name)])
mapped_file = open('/mnt/log', 'r+b')
mapped = mmap.mmap(mapped_file.fileno(), 0)
results.append(mapped[:3].decode())
mapped[:3] = b'ONE'
mapped.flush()
results.append(open('/mnt/log').read())
mapped.close()
os.rename('/mnt/a', '/mnt/b')
shutil.copytree('/mnt/b', '/mnt/c')
shutil.rmtree('/mnt/b')
results.append(sorted(os.listdir('/mnt')))
os.utime('/mnt/log', (1.5, 2.25))
os.chmod('/mnt/log', 0o600)
os.truncate('/mnt/log', 2)
results.append([oct(os.stat('/mnt/log').st_mode), os.path.getsize('/mnt/log')])
fd = os.open('/mnt/far', os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b'x', 2**33)
copy = os.dup(fd)
os.close(fd)
results.append([os.fstat(copy).st_size, os.pread(copy, 2, 2**33).decode()])
os.close(copy)
os.unlink('/mnt/far')
sys.path.insert(0, '/mnt')
import module
results.append(module.text)
json.dumps(results)`;

test("Python maps, duplicates, lists, copies and imports files of a tree", async (t) => {
  const { loadPyodide } = (await import(NAME)) as { loadPyodide(): Promise<Pyodide> };
  const [python, vfs] = await Promise.all([loadPyodide(), createVfs({ maxBytes: 1 << 26 })]);
  t.after(() => vfs.close());
  python.FS.mkdir("/mnt");
  python.FS.mount(threadfs, { vfs, FS: python.FS }, "/mnt");
  vfs.fs.writeFileSync("/module.py", 'text = "imported"');
  assert.deepEqual(JSON.parse(python.runPython(PROGRAM)), [
    [0, "HEllo"],
    "one\ntwo\n",
    [
      ["a", true, false],
      ["link", false, true],
      ["log", false, false],
      ["module.py", false, false],
    ],
    "one",
    "ONE\ntwo\n",
    ["c", "link", "log", "module.py"],
    ["0o100600", 2],
    [2 ** 33 + 1, "x"],
    "imported",
  ]);
  // What Python has found once, and another thread replaces.
  vfs.fs.writeFileSync("/new", "replaced");
  vfs.fs.renameSync("/new", "/log");
  assert.equal(python.runPython("open('/mnt/log').read()"), "replaced");
});
