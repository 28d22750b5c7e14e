/** The option `ignore` of `watch`: globs, regular expressions, functions, of which any tells an event's name not to be told. */
import { invalidArgType, invalidArgValue } from "../../errors/errors.js";
import { excluder } from "../glob/exclude.js";
import { PatternCompiler } from "../glob/pattern.js";

export type Ignores = (name: string) => boolean;

const TYPES = "of type string or function or an instance of RegExp or Array";

function checkOne(value: unknown, name: string, expected: string): void {
  if (typeof value === "function" || value instanceof RegExp) return;
  if (typeof value !== "string") throw invalidArgType(name, expected, value);
  if (value === "") throw invalidArgValue(name, value, "must be a non-empty string");
}

/** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
function check(
  ignore: unknown,
  name: string,
): asserts ignore is string | RegExp | Ignores | (string | RegExp | Ignores)[] {
  if (!Array.isArray(ignore)) {
    checkOne(ignore, name, TYPES);
    return;
  }
  for (const [i, one] of ignore.entries()) {
    checkOne(one, `${name}[${i}]`, "of type string or function or an instance of RegExp");
  }
}

/** A glob without a slash is one for the last name of a path. */
function ofGlob(glob: string): Ignores {
  const compiler = new PatternCompiler();
  const patterns = compiler.compile(glob);
  // Paths are tested as absolute ones.
  const rooted = patterns.map(({ parts, tails }) => ({ parts: ["", ...parts], tails, absolute: true }));
  const matches = excluder(rooted);
  const single = excluder(rooted.filter(({ parts }) => parts.length === 2));
  return (name) => matches(`/${name}`) || single(`/${name.slice(name.lastIndexOf("/") + 1)}`);
}

/** What the option ignores; undefined: nothing. @throws TypeError; RangeError ERR_THREADFS_GLOB_LIMIT */
export function toIgnore(ignore: unknown, name = "options.ignore"): Ignores | undefined {
  if (ignore === undefined || ignore === null) return undefined;
  check(ignore, name);
  const all = (Array.isArray(ignore) ? ignore : [ignore]).map((one): ((name: string) => unknown) => {
    if (typeof one === "string") return ofGlob(one);
    return one instanceof RegExp ? (text) => RegExp.prototype.exec.call(one, text) !== null : one;
  });
  return (text) => all.some((one) => Boolean(one(text)));
}
