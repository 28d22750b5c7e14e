/**
 * Events of a FileHandle and of a StatWatcher. In Node they are EventEmitters; a browser has none, and gets the few methods that they
 * need. The prototype is chosen at the first object, because no work happens on import.
 */
import { nodeModule } from "../../bridge/node.js";

type Listener = (...args: unknown[]) => void;

/** What both kinds can. */
export interface Emitter {
  on(name: string | symbol, listener: Listener): this;
  addListener(name: string | symbol, listener: Listener): this;
  once(name: string | symbol, listener: Listener): this;
  off(name: string | symbol, listener: Listener): this;
  removeListener(name: string | symbol, listener: Listener): this;
  removeAllListeners(name: string | symbol): this;
  listenerCount(name: string | symbol): number;
  emit(name: string | symbol, ...args: unknown[]): boolean;
}

/** A listener, and what is called for it. */
interface Entry {
  readonly listener: Listener;
  readonly call: Listener;
}

const entries = /* @__PURE__ */ new WeakMap<object, Map<string | symbol, Entry[]>>();

function entriesOf(emitter: object, name: string | symbol): Entry[] {
  const all = entries.get(emitter) ?? new Map<string | symbol, Entry[]>();
  entries.set(emitter, all);
  const named = all.get(name) ?? [];
  all.set(name, named);
  return named;
}

class SmallEmitter implements Emitter {
  on(name: string | symbol, listener: Listener): this {
    entriesOf(this, name).push({ listener, call: listener });
    return this;
  }

  addListener(name: string | symbol, listener: Listener): this {
    return this.on(name, listener);
  }

  once(name: string | symbol, listener: Listener): this {
    const call: Listener = (...args) => {
      this.off(name, call);
      listener.apply(this, args);
    };
    entriesOf(this, name).push({ listener, call });
    return this;
  }

  /** Removes a listener once, as Node's: the one that was added last. */
  off(name: string | symbol, listener: Listener): this {
    const all = entriesOf(this, name);
    const at = all.findLastIndex((entry) => entry.listener === listener || entry.call === listener);
    if (at >= 0) all.splice(at, 1);
    return this;
  }

  removeListener(name: string | symbol, listener: Listener): this {
    return this.off(name, listener);
  }

  removeAllListeners(name: string | symbol): this {
    entriesOf(this, name).length = 0;
    return this;
  }

  listenerCount(name: string | symbol): number {
    return entriesOf(this, name).length;
  }

  emit(name: string | symbol, ...args: unknown[]): boolean {
    const all = [...entriesOf(this, name)];
    for (const { call } of all) call.apply(this, args);
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
