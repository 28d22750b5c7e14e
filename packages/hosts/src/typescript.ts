/** The TypeScript versions: each compiles the typed programs strictly, the library's declarations with them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Case } from "./cases.js";
import { moduleFile, versionOf } from "./install.js";
import type { Project } from "./project.js";
import { run } from "./run.js";

const VERSIONS = ["5.0", "5.6", "5.7", "5.9", "6", "7"] as const;

/** One way of compiling: what the program is, and what its project has. */
interface Setting {
  name: string;
  programs: readonly string[];
  options: Record<string, unknown>;
  /** Whether it has @types/node. */
  node?: boolean;
  /** The oldest TypeScript that the declarations of @types/node of this year need. */
  since?: number;
}

const STRICT = {
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true,
  target: "ES2022",
};
const BUNDLER = { module: "ESNext", moduleResolution: "bundler" };

const SETTINGS: readonly Setting[] = [
  {
    name: "page, moduleResolution bundler",
    programs: ["typed-page.ts", "typed-errors.ts"],
    options: { ...STRICT, ...BUNDLER, lib: ["ES2022", "DOM"] },
  },
  {
    name: "neither DOM nor @types/node, lib ES2020",
    programs: ["typed-page.ts", "typed-errors.ts"],
    options: { ...STRICT, ...BUNDLER, lib: ["ES2020"] },
  },
  {
    name: "Node, moduleResolution node16",
    programs: ["typed-node.ts", "adapters/typed-node-vfs.ts", "typed-errors.ts"],
    options: { ...STRICT, module: "Node16", moduleResolution: "node16", lib: ["ES2022"] },
    node: true,
    since: 5.6,
  },
];

export function typeCases(project: Project): Case[] {
  return VERSIONS.flatMap((version) =>
    SETTINGS.filter(({ since = 0 }) => Number(version) >= since).map((setting) => ({
      name: `TypeScript ${versionOf(`typescript-${version}`)}, ${setting.name}`,
      run: () => compile(project, version, setting),
    })),
  );
}

/** Compiles the programs of a setting. @throws Error with what the compiler says */
async function compile(project: Project, version: string, { name, programs, options, node }: Setting): Promise<void> {
  const folder = `typed-${version}-${name.replace(/\W+/g, "-")}`;
  for (const program of programs) project.source(program, folder);
  // Only a program for Node has @types/node: a compiler that finds it would take it for the others too.
  if (node) project.link("@types/node", folder);
  const config = join(project.dir, folder, "tsconfig.json");
  const compilerOptions = { ...options, types: node ? ["node"] : [] };
  writeFileSync(config, JSON.stringify({ compilerOptions, files: programs }));
  const compiler = moduleFile(`typescript-${version}`, "bin", "tsc");
  await run(process.execPath, [compiler, "--project", config], { cwd: project.dir });
}
