/**
 * Watches a thread that makes its calls from TypeScript: its accesses to the shared memory of the tree, which the instrumented core reports, and those of TypeScript to another shared memory,
 * the table of a program. Before its n-th access the thread stops for ever: from there on each access is refused by an exception, so that no handler on the way out changes anything.
 *
 * The thread is made of what is constructed while {@link Watch.during} runs: instances of the instrumented module, and views of the table. Those of the table are proxies, for plain accesses,
 * and Atomics knows them.
 */
import { SCRATCH } from "../../../../threadfs/dist/abi/abi.js";

/** Thrown at the access before which a thread stops, and at each later one. */
export class Stopped extends Error {}

/** The progress of a thread: the accesses it has made, and the one before which it stopped. */
export interface Progress {
  accesses: number;
  /** The place in the core, -1: it is TypeScript's. */
  site: number;
  address: number;
}

/** Each view of a table that is watched: the view itself, and what is called before an access. */
const watched = new WeakMap<object, { view: Int32Array | BigInt64Array; hit: (index: number) => void }>();

type Access = (view: unknown, index: number, ...rest: unknown[]) => unknown;
const METHODS = ["load", "store", "exchange", "compareExchange", "and", "add", "wait", "notify"] as const;

/** Has Atomics take the proxies of watched views. */
function interposeAtomics(): void {
  const atomics = Atomics as unknown as Record<string, Access>;
  for (const name of METHODS) {
    const native = atomics[name] as Access;
    atomics[name] = (view, index, ...rest) => {
      const own = watched.get(view as object);
      if (own === undefined) return native(view, index, ...rest);
      own.hit(index);
      // No other thread runs that could wake it.
      return name === "wait" ? "timed-out" : native(own.view, index, ...rest);
    };
  }
}
let interposed = false;

/** A watched thread. */
export class Watch {
  readonly progress: Progress = { accesses: 0, site: -1, address: 0 };
  readonly #module: WebAssembly.Module;
  readonly #table: ArrayBufferLike;
  #scratch = -1;
  #armed = false;
  #stopped = false;
  readonly #stopAt: number;

  /** @param stopAt the number of the access before which it stops; Infinity: it goes on, and its accesses are counted */
  constructor(module: WebAssembly.Module, table: ArrayBufferLike, stopAt: number) {
    this.#module = module;
    this.#table = table;
    this.#stopAt = stopAt;
    if (!interposed) interposeAtomics();
    interposed = true;
  }

  /** Makes the thread: what the function constructs is watched. */
  async during<T>(make: () => Promise<T>): Promise<T> {
    const globals = globalThis as unknown as Record<string, unknown>;
    const { Int32Array: words, BigInt64Array: pairs } = globals;
    const { Instance } = WebAssembly;
    globals.Int32Array = this.#interposedView(words as Int32ArrayConstructor);
    globals.BigInt64Array = this.#interposedView(pairs as BigInt64ArrayConstructor);
    (WebAssembly as { Instance: unknown }).Instance = this.#interposedInstance(Instance);
    try {
      return await make();
    } finally {
      Object.assign(globals, { Int32Array: words, BigInt64Array: pairs });
      (WebAssembly as { Instance: unknown }).Instance = Instance;
    }
  }

  /** From here on accesses count. @param scratch the address of the thread's scratch area, which no other thread reads */
  arm(scratch: number): void {
    this.#scratch = scratch;
    this.#armed = true;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Accesses do not count any more; those of a thread that has stopped are refused all the same. */
  disarm(): void {
    this.#armed = false;
  }

  #hit(site: number, address: number): void {
    if (this.#stopped) throw new Stopped();
    if (!this.#armed || (site >= 0 && address >= this.#scratch && address < this.#scratch + SCRATCH.SIZE)) return;
    const { progress } = this;
    if (progress.accesses++ !== this.#stopAt) return;
    Object.assign(progress, { site, address });
    this.#stopped = true;
    throw new Stopped();
  }

  #interposedView<T extends Int32ArrayConstructor | BigInt64ArrayConstructor>(native: T): T {
    return new Proxy(native, {
      construct: (target, args, newTarget) => {
        const view = Reflect.construct(target, args, newTarget) as Int32Array | BigInt64Array;
        return args[0] === this.#table ? this.#watchedView(view) : view;
      },
    });
  }

  #watchedView(view: Int32Array | BigInt64Array): object {
    const hit = (index: number) => this.#hit(-1, index * view.BYTES_PER_ELEMENT);
    const index = (key: string | symbol): number => (typeof key === "string" ? Number(key) : Number.NaN);
    const proxy = new Proxy(view, {
      get(target, key) {
        if (index(key) >= 0) hit(index(key));
        return Reflect.get(target, key, target);
      },
      set(target, key, value) {
        if (index(key) >= 0) hit(index(key));
        return Reflect.set(target, key, value, target);
      },
    });
    watched.set(proxy, { view, hit });
    return proxy;
  }

  #interposedInstance(native: typeof WebAssembly.Instance): typeof WebAssembly.Instance {
    const access = (site: number, address: number) => this.#hit(site, address >>> 0);
    const verify = { access, store: access, range: access, enter: () => 0 };
    return new Proxy(native, {
      construct: (target, [module, imports], newTarget) =>
        Reflect.construct(
          target,
          [module, module === this.#module ? { ...imports, verify } : imports],
          newTarget,
        ) as object,
    });
  }
}
