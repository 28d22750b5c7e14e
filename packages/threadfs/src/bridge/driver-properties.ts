/** What a driver object has beside its methods: which hooks there are, which of them are called in rcu mode, and its properties. */
import { FS_CACHE_LINKS, FS_GENERATION, FS_REVAL_DOT } from "../../abi/flags.js";
import * as HOOK from "../../abi/hooks.js";
import type { Driver, HookMode, RcuHook } from "../api/driver.js";
import { propertyOf } from "../errors/bare.js";
import { invalidArgType, invalidArgValue } from "../errors/errors.js";
import { isObjectPrototype, keysOf, nearest, unknownKey } from "./options.js";

/** The hook bit of each method. */
const HOOK_OF: readonly (readonly [keyof Driver, number])[] = [
  ["lookup", HOOK.LOOKUP],
  ["hash", HOOK.HASH],
  ["compare", HOOK.COMPARE],
  ["revalidate", HOOK.REVALIDATE],
  ["permission", HOOK.PERMISSION],
  ["checkAcl", HOOK.CHECK_ACL],
  ["readlink", HOOK.READLINK],
  ["putLink", HOOK.PUT_LINK],
  ["iput", HOOK.IPUT],
  ["readdir", HOOK.READDIR],
  ["read", HOOK.READ],
  ["write", HOOK.WRITE],
  ["create", HOOK.CREATE],
  ["unlink", HOOK.UNLINK],
  ["deleteUnused", HOOK.DELETE],
  ["setattr", HOOK.SETATTR],
];

/** The bits of the hooks that may be called in rcu mode. */
const RCU_HOOK_OF: ReadonlyMap<RcuHook, number> = /* @__PURE__ */ new Map([
  ["permission", HOOK.RCU_PERMISSION],
  ["checkAcl", HOOK.RCU_CHECK_ACL],
  ["revalidate", HOOK.RCU_REVALIDATE],
  ["readlink", HOOK.RCU_READLINK],
]);
const IN_RCU: readonly [HookMode] = [/* @__PURE__ */ Object.freeze({ rcu: true })];
const IN_REF: readonly [HookMode] = [/* @__PURE__ */ Object.freeze({ rcu: false })];
const NOT_TOLD: readonly [] = [];
/** What a hook returns in rcu mode to be asked again outside of it. */
const AGAIN = "again";

/** The properties of {@link Driver}. */
const DRIVER_KEYS: readonly string[] = [
  ...["name", "root", "revalidateDots", "generation", "cacheLinks", "rcu"],
  ...HOOK_OF.map(([method]) => method),
];
/** An edit for so many letters makes a name a misspelt hook, and not a property of the user's own. */
const LETTERS_PER_EDIT = 4;

/**
 * A hook that is misspelt would never be called. A plain object has only what a driver can have; the object of a class may
 * have properties of its own, but none that looks like a hook.
 * @throws TypeError ERR_INVALID_ARG_VALUE
 */
export function checkDriverKeys(driver: object): void {
  const prototype = Object.getPrototypeOf(driver);
  const plain = prototype === null || isObjectPrototype(prototype);
  for (const key of keysOf(driver)) {
    if (DRIVER_KEYS.includes(key)) continue;
    if (plain || nearest(key, DRIVER_KEYS).distance * LETTERS_PER_EDIT <= key.length)
      throw unknownKey("driver", key, DRIVER_KEYS);
  }
}

/** What a hook returned. A promise is refused: a call does not wait for its hooks. @throws TypeError */
export function present<T>(result: T): T {
  if (result instanceof Promise) throw new TypeError("it returned a promise");
  return result;
}

/** The last argument of a hook that may be called in rcu mode; other hooks get none. */
export function modeOf(driver: Driver, hook: RcuHook, rcu: boolean): readonly [HookMode] | readonly [] {
  if (propertyOf(driver, "rcu")?.includes(hook) !== true) return NOT_TOLD;
  return rcu ? IN_RCU : IN_REF;
}

/** Whether a hook wants to be asked again outside of rcu mode. @throws TypeError if it wants that outside of rcu mode, or has returned a promise */
export function isAgain(result: unknown, rcu: boolean): boolean {
  if (present(result) !== AGAIN) return false;
  if (!rcu) throw new TypeError(`it returned "${AGAIN}" outside of rcu mode`);
  return true;
}

/** The bits of a driver's hooks, and of those that are called in rcu mode. @throws TypeError as registerDriver() */
export function hooksOf(driver: Driver): number {
  let hooks = 0;
  for (const [method, bit] of HOOK_OF) {
    const given = propertyOf(driver, method);
    if (given === undefined) continue;
    if (typeof given !== "function") throw invalidArgType(`driver.${method}`, "of type function", given);
    hooks |= bit;
  }
  return hooks | rcuHooks(driver, hooks);
}

/** The bits of the hooks in `rcu`. @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE for one that the driver does not have */
function rcuHooks(driver: Driver, hooks: number): number {
  const rcu = propertyOf(driver, "rcu");
  if (rcu === undefined) return 0;
  if (!Array.isArray(rcu)) throw invalidArgType("driver.rcu", "an instance of Array", rcu);
  let bits = 0;
  for (const hook of rcu as readonly RcuHook[]) {
    const bit = RCU_HOOK_OF.get(hook);
    const known = `must name hooks among ${[...RCU_HOOK_OF.keys()].join(", ")}`;
    if (bit === undefined) throw invalidArgValue("driver.rcu", rcu, known);
    if (!HOOK_OF.some(([method, own]) => method === hook && (hooks & own) !== 0)) {
      throw invalidArgValue("driver.rcu", rcu, "must name hooks that the driver has");
    }
    bits |= bit;
  }
  return bits;
}

/**
 * The flags of the driver's file systems. @throws TypeError ERR_INVALID_ARG_TYPE; ERR_INVALID_ARG_VALUE for a generation without revalidate(), or
 * cached links without readlink()
 */
export function flagsOf(driver: Driver, hooks: number): number {
  return (
    (driver.revalidateDots ? FS_REVAL_DOT : 0) |
    (switchOf(driver, "generation", "revalidate", hooks & HOOK.REVALIDATE) ? FS_GENERATION : 0) |
    (switchOf(driver, "cacheLinks", "readlink", hooks & HOOK.READLINK) ? FS_CACHE_LINKS : 0)
  );
}

/** A property that is true or false, false by default. `has`: whether the driver has the hook that it needs. */
function switchOf(driver: Driver, name: "generation" | "cacheLinks", needs: keyof Driver, has: number): boolean {
  const value = propertyOf(driver, name) ?? false;
  if (typeof value !== "boolean") throw invalidArgType(`driver.${name}`, "of type boolean", value);
  if (value && !has) throw invalidArgValue(`driver.${name}`, value, `needs the hook ${needs}`);
  return value;
}
