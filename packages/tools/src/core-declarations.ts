/**
 * Writes what TypeScript knows of the core, as the compiler of the core sees it. build-core.ts runs it, in the folder of the library:
 *
 *   node ../tools/dist/core-declarations.js
 *
 *   generated/core-exports.ts  the system calls: names, parameters and results of the functions that core/sys/index.ts exports, with
 *                              the comments that stand at them
 *   generated/core-layout.ts   constants of the core by their names, and of each unmanaged class the offsets of its fields: for the
 *                              proof, which reads the shared memory
 *
 * The core is compiled once more, without optimization and with all of its files as entries: then every constant that a file exports
 * is a global of the module, whose value the module itself computes.
 */
import { readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ClassPrototype, FunctionPrototype, Global, type Program, PropertyPrototype } from "assemblyscript";
import { main, type Transform } from "assemblyscript/asc";

const ENTRY = "core/sys/index";
const CONFIG = ["--config", "core/asconfig.json", "--target", "declarations", "--disableWarning", "235"];
const NUMBERS = new Set(["i32", "u32", "usize", "f64", "bool"]);

/** Compiles every file in `core` of a folder. */
export async function compile(folder: string): Promise<{ program: Program; module: WebAssembly.Module }> {
  const files = readdirSync(join(folder, "core"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
    .map((file) => `core/${file.replaceAll("\\", "/")}`)
    .sort();
  let program: Program | undefined;
  let binary: Uint8Array | undefined;
  const observer: Pick<Transform, "afterInitialize"> = {
    afterInitialize(initialized) {
      program = initialized;
    },
  };
  const { error, stderr } = await main([...files, ...CONFIG, "--baseDir", folder, "--outFile", "core.wasm"], {
    // The compiler calls the methods that a transform has, and takes an object as it is.
    transforms: [observer as Transform],
    writeFile(_name, contents) {
      if (typeof contents !== "string") binary = contents;
    },
  });
  if (error || program === undefined || binary === undefined) throw new Error(`core: ${error}\n${stderr}`);
  return { program, module: await WebAssembly.compile(new Uint8Array(binary)) };
}

/** The comment before a declaration, its lines without the indentation of the source. */
function commentBefore(text: string, start: number): string {
  const before = text.slice(0, start).trimEnd();
  return before.endsWith("*/") ? before.slice(before.lastIndexOf("/**")) : "";
}

/** The interface of the functions that the entry exports. @throws Error for a type that is no number in JavaScript */
export function exportsOf(program: Program): string {
  const file = program.filesByName.get(ENTRY);
  if (file?.exports == null) throw new Error(`core: there is no ${ENTRY}`);
  const methods = [...file.exports].map(([name, element]) => {
    if (!(element instanceof FunctionPrototype)) throw new Error(`core: ${name} is no function`);
    const [instance] = element.instances?.values() ?? [];
    if (instance === undefined) throw new Error(`core: ${name} is not compiled`);
    const { parameterTypes, returnType } = instance.signature;
    for (const type of [...parameterTypes, returnType]) {
      if (!NUMBERS.has(String(type))) throw new Error(`core: ${name} takes or returns ${type}`);
    }
    const parameters = parameterTypes.map((_, i) => `${instance.getParameterName(i)}: number`);
    const { source, start } = element.declaration.range;
    const comment = commentBefore(source.text, start).replaceAll(/^ \*/gm, "   *");
    return `${comment === "" ? "" : `  ${comment}\n`}  ${name}(${parameters.join(", ")}): number;\n`;
  });
  const head = /^\/\*\*[\s\S]*?\*\//.exec(file.source.text)?.[0] ?? "";
  return `${head}\nexport interface CoreExports {\n${methods.join("")}}\n`;
}

/** Values of the constants that the files of the core export, under their names. */
export function constantsOf(program: Program, module: WebAssembly.Module): Map<string, number> {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
  const host = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, () => 0]));
  const { exports } = new WebAssembly.Instance(module, { env: { memory }, host });
  const constants = new Map<string, number>();
  for (const [path, element] of program.elementsByName) {
    if (!(element instanceof Global) || !path.startsWith("core/")) continue;
    const value = exports[element.name];
    if (!(value instanceof WebAssembly.Global) || isMutable(value)) continue;
    const unsigned = ["u32", "usize"].includes(String(element.type));
    const number = unsigned ? Number(value.value) >>> 0 : Number(value.value);
    if (Number.isSafeInteger(number)) constants.set(element.name, number);
  }
  return constants;
}

/** Whether a global is that of a `let`: a constant's cannot be set. */
function isMutable(global: WebAssembly.Global): boolean {
  try {
    const { value } = global;
    global.value = value;
    return true;
  } catch {
    return false;
  }
}

/** Offsets of the fields of each unmanaged class, without the "_" at the end of a field that has accessors. */
export function classesOf(program: Program): Map<string, Map<string, number>> {
  const classes = new Map<string, Map<string, number>>();
  for (const [path, element] of program.elementsByName) {
    if (!(element instanceof ClassPrototype) || !path.startsWith("core/")) continue;
    for (const { members } of element.instances?.values() ?? []) {
      const fields = [...(members ?? [])].flatMap(([name, member]): [string, number][] => {
        if (!(member instanceof PropertyPrototype) || !member.isField) return [];
        return [[name.replace(/_$/, ""), member.instance?.memoryOffset ?? -1]];
      });
      classes.set(element.name, new Map(fields));
    }
  }
  return classes;
}

function layoutText(constants: Map<string, number>, classes: Map<string, Map<string, number>>): string {
  const lines = [...constants].map(([name, value]) => `export const ${name} = ${value};\n`);
  const objects = [...classes].map(([name, fields]) => {
    // On one line: the sizes of source files count for this one too.
    const entries = [...fields].map(([field, offset]) => `${field}: ${offset}`);
    return `  ${name}: { ${entries.join(", ")} },\n`;
  });
  return `${lines.join("")}
/** The unmanaged classes: the byte offset of each field. */
export const CLASSES = {\n${objects.join("")}} as const;\n`;
}

const GENERATED = "// Written by packages/tools/src/core-declarations.ts from the sources of the core. Do not edit.\n";

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { program, module } = await compile(".");
  const layout = layoutText(constantsOf(program, module), classesOf(program));
  await mkdir("generated", { recursive: true });
  await writeFile("generated/core-exports.ts", `${GENERATED}\n${exportsOf(program)}`);
  await writeFile("generated/core-layout.ts", `${GENERATED}\n${layout}`);
}
