/**
 * Options objects of the library's own calls. A key that is not known is refused, because a misspelt option would otherwise
 * be taken for its default: `context({ user: 1000 })` would make a context of uid 0.
 */
import { bare } from "../errors/bare.js";
import { codedError, invalidArgType } from "../errors/errors.js";

/** Edits that turn one word into the other (Levenshtein), without regard to case. */
function distance(one: string, other: string): number {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The known key that is nearest to `key`, and its distance. */
export function nearest(key: string, known: readonly string[]): { key: string; distance: number } {
  let best = { key: "", distance: Number.POSITIVE_INFINITY };
  for (const candidate of known) {
    const edits = distance(key, candidate);
    if (edits < best.distance) best = { key: candidate, distance: edits };
  }
  return best;
}

/** ERR_INVALID_ARG_VALUE for a key that is not known. */
export function unknownKey(name: string, key: string, known: readonly string[]): TypeError & { code: string } {
  const listed = known.map((one) => `"${one}"`).join(", ");
  const message = `The property "${name}.${key}" is not known. Did you mean "${nearest(key, known).key}"? Known are ${listed}`;
  return codedError(TypeError, "ERR_INVALID_ARG_VALUE", message);
}

/** The prototype of plain objects, in this realm or another one: it is not part of what the caller has written. */
export function isObjectPrototype(object: object): boolean {
  return object === Object.prototype || (Object.getPrototypeOf(object) === null && Object.hasOwn(object, "__proto__"));
}

/** All keys of an object and of its prototypes but the last, `Object.prototype`. */
export function keysOf(object: object): Set<string> {
  const keys = new Set<string>();
  for (let at: object | null = object; at !== null && !isObjectPrototype(at); at = Object.getPrototypeOf(at)) {
    for (const key of Object.getOwnPropertyNames(at)) if (key !== "constructor") keys.add(key);
  }
  return keys;
}

/** All keys of an options type: the compiler asks for a key that is added to the type. `false`: one that no error suggests. */
export type KeysOf<T> = { readonly [K in keyof Required<T>]: boolean };

/**
 * The known options of an options object, in an object without a prototype, so that no property of a changed
 * `Object.prototype` is taken for an option.
 * @param value undefined: no options
 * @throws TypeError ERR_INVALID_ARG_TYPE for what is no object, ERR_INVALID_ARG_VALUE for a key that is not known
 */
export function readOptions<T extends object>(value: unknown, known: KeysOf<T>, name = "options"): Partial<T> {
  const read = Object.create(null) as Partial<T>;
  if (value === undefined) return read;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidArgType(name, "of type object", value);
  }
  for (const key of keysOf(value)) {
    if (!Object.hasOwn(known, key)) {
      throw unknownKey(
        name,
        key,
        Object.keys(known).filter((one) => known[one as keyof T]),
      );
    }
    read[key as keyof T] = (value as T)[key as keyof T];
  }
  return read;
}

/** An option that is true, false or not given (false). @throws TypeError ERR_INVALID_ARG_TYPE */
export function flagOption(value: unknown, name: string): boolean {
  if (value !== undefined && typeof value !== "boolean") throw invalidArgType(name, "of type boolean", value);
  return value === true;
}

/**
 * A property that makes structuredClone() and postMessage() of an object fail with a message that says what to post instead: cloning
 * reads the enumerable own properties in their order, so it has to come before any that is a function.
 */
export function cloneRefusal(message: string): PropertyDescriptor {
  const get = (): never => {
    throw codedError(TypeError, "ERR_THREADFS_NOT_CLONEABLE", message);
  };
  return bare({ enumerable: true, get });
}

/** Gives an object such a property; returns the object. */
export function refuseCloning<T extends object>(object: T, refusal: PropertyDescriptor): T {
  return Object.defineProperty(object, "notCloneable", refusal);
}

/**
 * The same for an object that programs copy with `{ ...object }`, which reads its properties too: the value cannot be cloned, and
 * the host's error has its text.
 */
export function uncloneable(message: string): { notCloneable: symbol } {
  return { notCloneable: Symbol(message) };
}
