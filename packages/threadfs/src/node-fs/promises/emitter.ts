/**
 * Events of a FileHandle. In Node it is an EventEmitter; a browser has none, and gets the few methods that a handle needs. The
 * prototype is chosen at the first handle, because no work happens on import.
 */
import { nodeModule } from "../../bridge/node.js";

type Listener = (...args: unknown[]) => void;

/** What both kinds can. */
export interface Emitter {
  on(name: string | symbol, listener: Listener): this;
  once(name: string | symbol, listener: Listener): this;
  off(name: string | symbol, listener: Listener): this;
  emit(name: string | symbol, ...args: unknown[]): boolean;
}

const listeners = /* @__PURE__ */ new WeakMap<object, Map<string | symbol, Set<Listener>>>();

function listenersOf(emitter: object, name: string | symbol): Set<Listener> {
  const all = listeners.get(emitter) ?? new Map<string | symbol, Set<Listener>>();
  listeners.set(emitter, all);
  const named = all.get(name) ?? new Set();
  all.set(name, named);
  return named;
}

class SmallEmitter implements Emitter {
  on(name: string | symbol, listener: Listener): this {
    listenersOf(this, name).add(listener);
    return this;
  }

  once(name: string | symbol, listener: Listener): this {
    const once: Listener = (...args) => {
      this.off(name, once);
      listener(...args);
    };
    return this.on(name, once);
  }

  off(name: string | symbol, listener: Listener): this {
    listenersOf(this, name).delete(listener);
    return this;
  }

  emit(name: string | symbol, ...args: unknown[]): boolean {
    const all = [...listenersOf(this, name)];
    for (const listener of all) listener.apply(this, args);
    return all.length > 0;
  }
}

/** Makes a class one of emitters, once. */
export function adoptEmitter(type: { readonly prototype: object }): void {
  if (Object.getPrototypeOf(type.prototype) !== Object.prototype) return;
  const base = nodeModule("node:events")?.EventEmitter ?? SmallEmitter;
  Object.setPrototypeOf(type.prototype, base.prototype);
  Object.setPrototypeOf(type, base);
}
