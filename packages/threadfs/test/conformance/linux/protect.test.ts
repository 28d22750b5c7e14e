/**
 * The protection of files in directories that others may write: protected_symlinks and its like. What each setting refuses is worked out here from what proc(5)
 * says; the tree is held against that for all settings, and the kernel that runs for those that it has.
 */
import assert from "node:assert/strict";
import { constants } from "node:fs";
import { test } from "node:test";
import { createVfs } from "../../../dist/src/index.js";
import { kernelProtection } from "../../support/oracle/kernel-protection.js";
import { runOnKernel, whyNoKernel } from "./kernel.js";
import { type Result, runOnTree, type Step } from "./steps.js";

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = constants;

type Settings = ReturnType<typeof kernelProtection>;

const OWNERS = [0, 1000, 1001];
const USERS = [0, 1000];
/** Modes of directories: sticky or not, writable for all, for the group, or for the owner alone. */
const MODES = [0o1777, 0o1775, 0o1755, 0o777, 0o775];

interface Case {
  step: Step;
  /** The result of the step by the settings. */
  expected(settings: Settings): Result;
}

const setup: Step[] = [
  ["umask", 0],
  ["put_file", "target", "t"],
  ["chmod", "target", 0o666],
  ["make", "links", 0o777],
];
for (const mode of MODES) {
  for (const owner of OWNERS) {
    const dir = `d${mode.toString(8)}-${owner}`;
    setup.push(["make", dir, mode], ["chmod", dir, mode], ["chown", dir, owner, owner]);
    for (const of of OWNERS) {
      setup.push(["put_file", `${dir}/file${of}`, "f"], ["mkfifo", null, `${dir}/fifo${of}`, 0o666]);
      setup.push(["symlink", "../target", null, `${dir}/link${of}`]);
      setup.push(["mkdir", null, `${dir}/dir${of}`], ["symlink", `dir${of}`, null, `${dir}/way${of}`]);
      setup.push(["put_file", `${dir}/dir${of}/in`, "i"]);
      for (const name of ["file", "fifo", "link", "way"]) setup.push(["lchown", `${dir}/${name}${of}`, of, of]);
      setup.push(["chmod", `${dir}/file${of}`, 0o666]);
    }
  }
}

/** Whether what another user has put there is refused. */
const isForeign = (user: number, owner: number, of: number): boolean => of !== user && of !== owner;

function opens(user: number): Case[] {
  return MODES.flatMap((mode) =>
    OWNERS.flatMap((owner) =>
      OWNERS.flatMap((of): Case[] => {
        const dir = `d${mode.toString(8)}-${owner}`;
        const sticky = (mode & 0o1000) !== 0;
        const denied = (level: number): boolean =>
          sticky &&
          isForeign(user, owner, of) &&
          ((level >= 1 && (mode & 2) !== 0) || (level >= 2 && (mode & 0o20) !== 0));
        const open = (name: string, flags: number): Step => [
          "opened",
          null,
          `${dir}/${name}${of}`,
          flags,
          flags & O_CREAT ? 0o600 : 0,
          0,
        ];
        const file = ["file", 1];
        const followed = (s: Settings) => (s.protectedSymlinks && denied(1) && (mode & 2) !== 0 ? "EACCES" : file);
        return [
          { step: open("file", O_CREAT | O_RDWR), expected: (s) => (denied(s.protectedRegular) ? "EACCES" : file) },
          {
            step: open("fifo", O_CREAT | O_RDWR),
            expected: (s) => (denied(s.protectedFifos) ? "EACCES" : ["file", 0]),
          },
          { step: open("file", O_RDWR), expected: () => file },
          { step: open("link", O_RDONLY), expected: followed },
          { step: open("link", O_CREAT | O_RDWR), expected: followed },
          { step: open("link", O_CREAT | O_EXCL | O_RDWR), expected: () => "EEXIST" },
          // Not the last component of the path.
          { step: ["opened", null, `${dir}/way${of}/in`, O_RDONLY, 0, 0], expected: () => file },
        ];
      }),
    ),
  );
}

/** Files of the superuser and of others that get another name, in a directory where every user may make one. */
const SOURCES: [name: string, uid: number, mode: number][] = [
  ...[0o644, 0o666, 0o600, 0o4666, 0o2666, 0o2676].map((mode): [string, number, number] => [
    `root${mode.toString(8)}`,
    0,
    mode,
  ]),
  ["own", 1000, 0o600],
  ["own-setuid", 1000, 0o4755],
];

const sources: Step[] = SOURCES.flatMap(([name, uid, mode]): Step[] => [
  ["put_file", name, "s"],
  ["chown", name, uid, uid],
  ["chmod", name, mode],
]);
sources.push(["mkfifo", null, "root-fifo", 0o666], ["symlink", "nothing", null, "root-link"]);

function links(user: number): Case[] {
  const safe = (uid: number, mode: number) =>
    user === 0 || uid === user || ((mode & 6) === 6 && (mode & 0o4000) === 0 && (mode & 0o2010) !== 0o2010);
  const all = [...SOURCES, ["root-fifo", 0, 0o4666], ["root-link", 0, 0o4666]] as const;
  return all.flatMap(([name, uid, mode]): Case[] => [
    {
      step: ["linkat", null, name, null, "links/new", 0],
      expected: (s) => (s.protectedHardlinks && !safe(uid, mode) ? "EPERM" : 0),
    },
    {
      step: ["unlink", null, "links/new"],
      expected: (s) => (s.protectedHardlinks && !safe(uid, mode) ? "ENOENT" : 0),
    },
    // In a directory where the user may make no name the source's protection comes first.
    {
      step: ["linkat", null, name, null, "d1755-0/new", 0],
      expected: (s) => (s.protectedHardlinks && !safe(uid, mode) ? "EPERM" : user === 0 ? 0 : "EACCES"),
    },
    { step: ["unlink", null, "d1755-0/new"], expected: () => (user === 0 ? 0 : "ENOENT") },
  ]);
}

const programs = USERS.map((user) => ({ user, cases: [...links(user), ...opens(user)] }));
const programOf = ({ user, cases }: (typeof programs)[number]): Step[] => [
  ...setup,
  ...sources,
  ["as", user],
  ...cases.map(({ step }) => step),
];

function check(
  label: string,
  settings: Settings,
  program: (typeof programs)[number],
  results: readonly Result[],
): void {
  const from = setup.length + sources.length + 1;
  for (const [k, { step, expected }] of program.cases.entries()) {
    const where = `${label}, user ${program.user}: ${JSON.stringify(step)} with ${JSON.stringify(settings)}`;
    assert.deepEqual(results[from + k], expected(settings), where);
  }
}

const levels = [0, 1, 2] as const;
const SETTINGS: Settings[] = [true, false].flatMap((protectedSymlinks) =>
  levels.map(
    (level): Settings => ({
      ...{ protectedSymlinks, protectedHardlinks: level !== 1 },
      ...{ protectedRegular: level, protectedFifos: levels[(level + (protectedSymlinks ? 0 : 1)) % 3] ?? 0 },
    }),
  ),
);

// Fails for each check that is taken out of packages/threadfs/core/vfs/walk/hardening.ts.
for (const settings of SETTINGS) {
  test(`row 120: with ${JSON.stringify(settings)} files, links and pipes of others are refused as proc(5) says`, async () => {
    for (const program of programs) {
      for (const ref of [false, true]) {
        check(`ref ${ref}`, settings, program, await runOnTree(programOf(program), "sync", { ref, ...settings }));
      }
    }
  });
}

test("row 120: the kernel that runs does the same with its settings", (t) => {
  const reason = whyNoKernel();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  const settings = kernelProtection();
  const results = runOnKernel(programs.map(programOf));
  for (const [n, program] of programs.entries()) check("kernel", settings, program, results[n] ?? []);
});

test("the defaults are those of distributions, for all threads of the tree; what is no setting is refused", async (t) => {
  const defaults: Settings = {
    ...{ protectedSymlinks: true, protectedHardlinks: true, protectedRegular: 2, protectedFifos: 1 },
  };
  for (const program of programs) check("defaults", defaults, program, await runOnTree(programOf(program), "sync"));
  for (const options of [{ protectedRegular: 3 }, { protectedFifos: -1 }, { protectedRegular: 0.5 }]) {
    await assert.rejects(createVfs({ maxBytes: 4 << 20, ...options } as never), { code: "ERR_OUT_OF_RANGE" });
  }
  for (const options of [{ protectedSymlinks: 1 }, { protectedHardlinks: "1" }, { protectedFifos: true }]) {
    await assert.rejects(createVfs({ maxBytes: 4 << 20, ...options } as never), { code: "ERR_INVALID_ARG_TYPE" });
  }
  const vfs = await createVfs({ maxBytes: 4 << 20, protectedSymlinks: undefined, protectedFifos: undefined });
  t.after(() => vfs.close());
});
