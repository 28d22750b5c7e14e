/** just-bash: two workers, each with a shell on one tree, compared with the package's own file system on the disk; and an agent's shell in a context of its own. */
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
ls -1 moved && ls -l src/main.ts | cut -c1-10
od -An -tx1 data/bytes
cat none
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

test("two workers' shells append to one file and move files at the same time", async () => {
  const loop = (name: string) =>
    `for i in 1 2 3 4 5; do echo "${name} $i" >> log; echo $i > ${name}$i; mv ${name}$i moved/; done`;
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "run", dir, "mkdir moved");
    const ran = await Promise.all([run(1, "run", dir, loop("a")), run(2, "run", dir, loop("b"))]);
    return [...ran, await run(1, "run", dir, "sort log; ls moved; cat moved/* | sort -n | uniq -c | wc -l")];
  });
  for (const { stderr, exitCode } of result as { stderr: string; exitCode: number }[]) {
    assert.deepEqual([stderr, exitCode], ["", 0]);
  }
});

test("an agent's shell has its own user and root, whatever its script says", async (t) => {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/agent/home", { recursive: true });
  vfs.fs.chownSync("/agent/home", 1000, 1000);
  vfs.fs.writeFileSync("/secret", "");
  const { fs } = vfs.context({ uid: 1000, gid: 1000, groups: [], root: "/agent", resolve: "in-root" });
  assert.deepEqual(
    await runScript(
      fs,
      "/home",
      "for i in $(seq 300); do [ -e none ] && echo found; done; ln -s f l; [ -L l ] && readlink l; echo mine > l; stat -c %a f; ls /; ls ../../..; cat /../secret; cp f /g",
    ),
    {
      stdout: "f\n644\nhome\nhome\n",
      stderr:
        "cat: /../secret: No such file or directory\n" +
        "cp: cannot copy 'f': EACCES: permission denied, cp '/home/f' -> '/g'\n",
      exitCode: 1,
    },
  );
  assert.equal(vfs.fs.readFileSync("/agent/home/f", "utf8"), "mine\n");
  assert.equal(vfs.fs.statSync("/agent/home/f").uid, 1000);
});
