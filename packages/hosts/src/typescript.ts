/** The TypeScript versions: each compiles the typed programs strictly, the library's declarations with them. */
import { rmSync, writeFileSync } from "node:fs";
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
const BUNDLER = { module: "ESNext", moduleResolution: "bundler", types: [] };

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
    programs: ["typed-node.ts", "typed-errors.ts"],
    options: { ...STRICT, module: "Node16", moduleResolution: "node16", lib: ["ES2022"], types: ["node"] },
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
async function compile(project: Project, version: string, { programs, options }: Setting): Promise<void> {
  for (const program of programs) project.source(program, "typed");
  // Only a program for Node has @types/node: a compiler that finds it would take it for the others too.
  if (options.types instanceof Array && options.types.length > 0) project.link("@types/node");
  else rmSync(join(project.dir, "node_modules", "@types"), { recursive: true, force: true });
  const config = join(project.dir, "typed", "tsconfig.json");
  writeFileSync(config, JSON.stringify({ compilerOptions: options, files: programs }));
  const compiler = moduleFile(`typescript-${version}`, "bin", "tsc");
  await run(process.execPath, [compiler, "--project", config], { cwd: project.dir });
}
