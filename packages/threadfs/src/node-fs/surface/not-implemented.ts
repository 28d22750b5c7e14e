/**
 * The exports of `node:fs` that a tree does not have yet. Libraries that are given a file system fill what is missing in it from
 * `node:fs`, and then read the real disk without a word. So every missing export is here, and throws.
 */
import { bare } from "../../errors/bare.js";
import { codedError } from "../../errors/errors.js";

/** Calls and classes of which a tree has no form. */
const OTHERS = ["watch"] as const;

/** Promise forms of `fs.promises`. */
const PROMISES = ["watch"] as const;

/** Names of `node:fs` that throw ERR_METHOD_NOT_IMPLEMENTED here. */
export type MissingName = (typeof OTHERS)[number];

function notImplemented(name: string): Error & { code: string } {
  return codedError(Error, "ERR_METHOD_NOT_IMPLEMENTED", `The ${name}() method is not implemented`);
}

/** A function that can be called and constructed, and throws. */
function stub(name: string): () => never {
  function refuse(): never {
    throw notImplemented(name);
  }
  return Object.defineProperty(refuse, "name", bare({ value: name, configurable: true }));
}

function promiseStub(name: string): () => Promise<never> {
  const refuse = async (): Promise<never> => {
    throw notImplemented(`promises.${name}`);
  };
  return Object.defineProperty(refuse, "name", bare({ value: name, configurable: true }));
}

type Stubs = { readonly [name in MissingName]: never };

/** Synchronous calls among the missing exports. */
export const MISSING_CALLS: readonly string[] = /* @__PURE__ */ OTHERS.filter((name) => name.endsWith("Sync"));

let made: Stubs | undefined;

/** The missing exports, the same for every tree. */
export function missingExports(): Stubs {
  made ??= Object.fromEntries(OTHERS.map((name) => [name, stub(name)])) as Stubs;
  return made;
}

/** What `fs.promises` has not. */
export function missingPromises(): { readonly [name in (typeof PROMISES)[number]]: () => Promise<never> } {
  return Object.fromEntries(PROMISES.map((name) => [name, promiseStub(name)])) as ReturnType<typeof missingPromises>;
}
