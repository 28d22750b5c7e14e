/** just-bash: two workers, each with a shell on one tree, and an agent's shell in a context of its own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVfs } from "threadfs";
import { sameOnTree } from "../support/sides.js";
import { run as runScript } from "./scenario.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;

const MAKE = `
mkdir -p src/lib data
for i in 1 2 3 4 5; do echo "line $i of data" >> data/lines.txt; done
printf 'export const a = 1;\\nexport const b = 2;\\n' > src/lib/a.ts
echo 'import { a } from "./lib/a";' > src/main.ts
ln -s ../data/lines.txt src/link
ln data/lines.txt data/hard
chmod 640 src/main.ts
printf '\\377\\000\\001' > data/bytes
`;

const WORK = `
find . -name '*.ts' | sort
grep -rn 'export' src | sort
sed -i 's/const b/let b/' src/lib/a.ts
cat src/link | sort -r | head -2
wc -l < data/hard
cp -r src copy && mv copy/lib moved && rm -rf copy
ls -1 moved && stat -c '%a' src/main.ts
od -An -tx1 data/bytes
cat none
[ -L src/link ] && readlink src/link
`;

test("a shell makes files in one worker, and another one's works with them", async () => {
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    const made = await run(1, "run", dir, MAKE);
    const worked = await run(2, "run", dir, WORK);
    return [made, worked, await run(1, "run", dir, "cat src/lib/a.ts; ls -R . | sort")];
  });
  const [made, worked, seen] = result as { stdout: string; stderr: string }[];
  assert.equal(made?.stderr, "");
  assert.match(worked?.stdout ?? "", /\.\/src\/lib\/a\.ts\n/);
  assert.match(worked?.stderr ?? "", /none: No such file or directory/);
  assert.match(seen?.stdout ?? "", /export let b/);
});

test("an agent's shell has its own user and root, whatever its script says", async (t) => {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/agent/home", { recursive: true });
  vfs.fs.chownSync("/agent/home", 1000, 1000);
  vfs.fs.writeFileSync("/secret", "");
  const { fs } = vfs.context({ uid: 1000, gid: 1000, groups: [], root: "/agent", resolve: "in-root" });
  assert.deepEqual(await runScript(fs, "/home", "echo mine > f; ls /; ls ../../..; cat /../secret; cp f /g"), {
    stdout: "home\nhome\n",
    stderr:
      "cat: /../secret: No such file or directory\n" +
      "cp: cannot copy 'f': EACCES: permission denied, copyfile '/home/f' -> '/g'\n",
    exitCode: 1,
  });
  assert.equal(vfs.fs.readFileSync("/agent/home/f", "utf8"), "mine\n");
  assert.equal(vfs.fs.statSync("/agent/home/f").uid, 1000);
});
