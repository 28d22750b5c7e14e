/** Node's warnings (https://nodejs.org/api/process.html#event-warning), where the host has a `process` that emits them. */

interface Emitter {
  emitWarning?: (message: string, type?: string, code?: string) => void;
}

/** What was warned of in this thread: Node warns once too. */
const given = /* @__PURE__ */ new Set<string>();

/** Emits a warning. Elsewhere than in Node nothing is emitted. */
export function warn(message: string, type: string): void {
  (globalThis as { process?: Emitter }).process?.emitWarning?.(message, type);
}

/**
 * Emits a warning the first time. Elsewhere than in Node nothing is emitted.
 * @param type "DeprecationWarning"; undefined: a plain warning
 * @param code DEP0180 and so on
 */
export function warnOnce(message: string, type?: string, code?: string): void {
  if (given.has(message)) return;
  given.add(message);
  const { process } = globalThis as { process?: Emitter };
  if (type === undefined) process?.emitWarning?.(message);
  else process?.emitWarning?.(message, type, code);
}
