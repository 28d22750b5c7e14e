/** Calls of the model one after the other, each to its end: how trees are made and read, and what the model is tested by. */

import { NAME_CALLS } from "./calls.js";
import { ATTRIBUTE_CALLS } from "./calls-attributes.js";
import { FILE_CALLS } from "./calls-files.js";
import { MOUNT_CALLS } from "./calls-mounts.js";
import { ALL_CAPS, BLOCKED, newState, release } from "./model.js";

const SYSTEM_CALLS = { ...NAME_CALLS, ...FILE_CALLS, ...ATTRIBUTE_CALLS, ...MOUNT_CALLS };

/** A step that may go either way answers { choose: [...] }: the values it may answer. */
export const choicesOf = (answer) => answer?.choose ?? [answer];

/**
 * The steps of one call `{ call, ctx, ...args }` as operation number `id`. The last step lets its references go: until then
 * others may find what it holds busy.
 */
export function* callSteps(s, id, { call, ctx = 0, ...args }) {
  if (!Object.hasOwn(SYSTEM_CALLS, call)) throw new Error(`the model has no ${call}`);
  const me = { id, ctx, searches: s.contexts.get(ctx).caps === ALL_CAPS };
  const answer = yield* SYSTEM_CALLS[call](me, args);
  yield (state) => release(state, me);
  return answer;
}

/** Runs one call on a state that nobody else works on; changes the state. */
export function runCall(s, call) {
  const steps = callSteps(s, 0, call);
  let { value, done } = steps.next();
  while (!done) {
    const answer = value(s);
    if (answer === BLOCKED) throw new Error(`${call.call} waits for itself`);
    ({ value, done } = steps.next(choicesOf(answer)[0]));
  }
  return value;
}

/** A model that takes calls one after the other. */
export function modelRunner({ now = 0 } = {}) {
  const state = newState({ now });
  return {
    state,
    run: (call) => runCall(state, call),
    /** A context with root and working directory of context 0. */
    addContext({ uid, gid, groups = [], umask = 0o022, caps = uid === 0 ? ALL_CAPS : 0 }) {
      const { root, cwd } = state.contexts.get(0);
      const ctx = state.contexts.size;
      state.contexts.set(ctx, { uid, gid, groups, umask, caps, root, cwd, fds: {} });
      return ctx;
    },
  };
}
