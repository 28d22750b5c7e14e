/** Web Locks for tests of one thread, on hosts without them too. */
import type { TestScope } from "../support/hooked-vfs.js";

interface LockInfo {
  readonly name: string;
  readonly mode: LockMode;
  readonly clientId: string;
}
type LockCallback = (lock: LockInfo | null) => unknown;
interface LockRequest {
  readonly lock: LockInfo;
  readonly granted: () => void;
}

/** A lock manager whose requests are granted in their order, as the standard says. All threads of a test are the same in truth. */
export class FakeLocks {
  #held: LockInfo[] = [];
  #waiting: LockRequest[] = [];
  /** The thread that makes the requests from now on. */
  thread = "first";

  /** Makes it the host's lock manager until the test ends. */
  install(t: TestScope): void {
    const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
    Object.defineProperty(globalThis, "navigator", { value: { locks: this }, configurable: true });
    t.after(() => {
      if (before) Object.defineProperty(globalThis, "navigator", before);
      else Reflect.deleteProperty(globalThis, "navigator");
    });
  }

  /** The names of the locks that threads hold. */
  get names(): Set<string> {
    return new Set(this.#held.map(({ name }) => name));
  }

  async request(name: string, ...args: [LockCallback] | [LockOptions, LockCallback]): Promise<unknown> {
    const [{ mode = "exclusive", ifAvailable = false }, callback] = args.length === 1 ? [{}, args[0]] : args;
    const lock = { name, mode, clientId: this.thread };
    if (!this.#grantable(lock)) {
      if (ifAvailable) return callback(null);
      await new Promise<void>((granted) => this.#waiting.push({ lock, granted }));
    } else this.#held.push(lock);
    try {
      return await callback(lock);
    } finally {
      this.#held = this.#held.filter((other) => other !== lock);
      this.#grant();
    }
  }

  async query(): Promise<{ held: LockInfo[] }> {
    return { held: [...this.#held] };
  }

  #grantable({ name, mode }: LockInfo): boolean {
    if (this.#waiting.some(({ lock }) => lock.name === name)) return false;
    return !this.#held.some((lock) => lock.name === name && (mode === "exclusive" || lock.mode === "exclusive"));
  }

  #grant(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const request of waiting) {
      if (!this.#grantable(request.lock)) this.#waiting.push(request);
      else {
        this.#held.push(request.lock);
        request.granted();
      }
    }
  }

  /** Releases a lock, as the host does when its thread ends. */
  free(name: string): void {
    this.#held = this.#held.filter((lock) => lock.name !== name);
    this.#grant();
  }
}
