/** Runs calls of the model one after the other, each to its end: to make and read trees, and to test the model. */
import type { Call, CallArguments, CallName, Result } from "./call.js";
import { NAME_CALLS } from "./calls.js";
import { ATTRIBUTE_CALLS } from "./calls-attributes.js";
import { LOOKUP_CALLS } from "./calls-lookup.js";
import { MOUNT_CALLS } from "./calls-mounts.js";
import { DIRECTORY_CALLS } from "./files/calls-directories.js";
import { FILE_CALLS } from "./files/calls-files.js";
import { STATUS_CALLS } from "./files/calls-status.js";
import { RANGE_CALLS } from "./linux/calls-ranges.js";
import { XATTR_CALLS } from "./linux/calls-xattr.js";
import { inCopy } from "./linux/namespaces.js";
import { LOCK_CALLS } from "./locks/calls-locks.js";
import { PIPE_CALLS } from "./pipes/calls-pipes.js";
import { ALL_CAPS, get, newState, type State } from "./state.js";
import { BLOCKED, type Choice, type Me, ofClosable, release, type Steps, step } from "./steps.js";

/** The operation of each call. */
type Operations = { [K in CallName]: (me: Me, args: CallArguments[K]) => Steps<Result> };
const SYSTEM_CALLS: Operations = {
  ...LOOKUP_CALLS,
  ...NAME_CALLS,
  ...FILE_CALLS,
  ...DIRECTORY_CALLS,
  ...STATUS_CALLS,
  ...ATTRIBUTE_CALLS,
  ...MOUNT_CALLS,
  ...LOCK_CALLS,
  ...RANGE_CALLS,
  ...XATTR_CALLS,
  ...PIPE_CALLS,
};

const isChoice = (result: unknown): result is Choice<unknown> =>
  typeof result === "object" && result !== null && "choose" in result;

/** The results that a step may have: several where it returned a choice. */
export const choicesOf = (result: unknown): unknown[] => (isChoice(result) ? result.choose : [result]);

/**
 * The steps of one call as operation number `id`. The last step drops its references: until then other operations may find the
 * mounts that it references busy.
 */
export function* callSteps(
  s: State,
  id: number,
  { call, ctx = 0, ...args }: Call,
  me: Me = operationOf(s, id, ctx),
): Steps<Result> {
  if (!Object.hasOwn(SYSTEM_CALLS, call)) throw new Error(`the model has no ${call}`);
  // The arguments are those of this very call.
  const operation = SYSTEM_CALLS[call] as (me: Me, args: object) => Steps<Result>;
  const steps = operation(me, args);
  const result = yield* s.closable.includes(ctx) ? ofClosable(me, steps) : steps;
  yield* step((state) => release(state, me));
  return result;
}

/** An operation at its beginning. */
export const operationOf = (s: State, id: number, ctx = 0): Me => ({
  id,
  ctx,
  searches: get(s.contexts, ctx).caps === ALL_CAPS,
});

/** Runs one call on a state that no other operation works on; changes the state. */
export function runCall(s: State, call: Call): Result {
  const steps = callSteps(s, 0, call);
  for (let next = steps.next(); ; ) {
    if (next.done) return next.value;
    const result = next.value(s);
    if (result === BLOCKED) throw new Error(`${call.call} waits for itself`);
    next = steps.next(choicesOf(result)[0]);
  }
}

/** A context beside context 0. */
export interface ContextOptions {
  uid: number;
  gid: number;
  groups?: number[];
  umask?: number;
  caps?: number;
  /** RESOLVE_* of all its walks, for its root. */
  resolve?: number;
  /** The context that makes it; it begins with that one's root and working directory. Default: 0. */
  from?: number;
  /** "own": it has a namespace of mounts of its own, else its maker's. */
  mounts?: "own";
}

/** A model that takes calls one after the other. */
export function modelRunner({ now = 0 } = {}) {
  const state = newState({ now });
  return {
    state,
    run: (call: Call): Result => runCall(state, call),
    /** Adds a context with root and working directory of its maker. @returns its number */
    addContext({ uid, gid, groups = [], umask = 0o022, resolve, ...given }: ContextOptions): number {
      const { caps = uid === 0 ? ALL_CAPS : 0 } = given;
      const { root, cwd, ns } = get(state.contexts, given.from ?? 0);
      const places = given.mounts === "own" ? inCopy(state, { root, cwd, ns }) : { root, cwd, ns };
      const ctx = state.contexts.size;
      state.contexts.set(ctx, { uid, gid, groups, umask, caps, fds: {}, ...places, ...(resolve ? { resolve } : {}) });
      return ctx;
    },
  };
}
