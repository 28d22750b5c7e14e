/** One user of the tree in a random program: its calls in all forms, its paths, and the files that it has open. */
import type { PathOperand } from "./operands.js";
import type { Form } from "./program.js";

type AnyCall = (...args: unknown[]) => unknown;

/** `fs` by the names of its calls. */
export interface Surface {
  readonly promises: object;
}

/** A FileHandle by the names of its methods. */
export interface Handle {
  readonly fd: number;
  close(): Promise<void>;
}

/** What differs between the two sides. */
export interface Side {
  readonly fs: Surface;
  /** The path of the run's directory, which results do not show. */
  readonly dir: string;
  /** Some actor of the program has a root directory of its own. */
  readonly rooted: boolean;
  /** The actor's user. */
  readonly uid: number;
  /** The path in which the actor's absolute paths begin. */
  readonly base: string;
  chdir(path: string): void;
  umask(mask: number): number;
}

function member(of: object, name: string): AnyCall {
  const found: unknown = Reflect.get(of, name);
  if (typeof found !== "function") throw new Error(`there is no ${name}`);
  return (...args) => Reflect.apply(found, of, args);
}

/** What is in a slot that is not open: the number of a descriptor that no actor has. */
const CLOSED = 1_000_000;

export class Actor {
  readonly side: Side;
  readonly #slots: (number | Handle)[] = [CLOSED, CLOSED, CLOSED];

  constructor(side: Side) {
    this.side = side;
  }

  /** A path as the call is given it. */
  path({ at, as }: PathOperand): string | Buffer | URL {
    const absolute = this.side.base + at;
    switch (as) {
      case "relative":
        return at;
      case "absolute":
        return absolute;
      case "bytes":
        return Buffer.from(absolute);
      case "url":
        return new URL(`file://${absolute}`);
    }
  }

  has(name: string): boolean {
    return Reflect.has(this.side.fs, name);
  }

  sync(name: string, ...args: unknown[]): unknown {
    return member(this.side.fs, `${name}Sync`)(...args);
  }

  /** Makes a call without a form. */
  plain(name: string, ...args: unknown[]): unknown {
    return member(this.side.fs, name)(...args);
  }

  /** `realpath.native` or its synchronous form. */
  native(name: "realpath" | "realpathSync", ...args: unknown[]): unknown {
    return member(Reflect.get(this.side.fs, name) as object, "native")(...args);
  }

  /** Whether the working directory has been removed. */
  isLost(): boolean {
    try {
      this.native("realpathSync", ".");
      return false;
    } catch (error) {
      return (error as { code?: unknown }).code === "ENOENT";
    }
  }

  promise(name: string, ...args: unknown[]): unknown {
    return member(this.side.fs.promises, name)(...args);
  }

  callback(name: string, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const done = (error: unknown, ...values: unknown[]): void => {
        if (error) reject(error);
        else resolve(values.length > 1 ? values : values[0]);
      };
      member(this.side.fs, name)(...args, done);
    });
  }

  /** Makes a call in one of its forms. */
  call(form: Form, name: string, ...args: unknown[]): unknown {
    return this[form](name, ...args);
  }

  /** The number of the slot that a call means by `n`: one that is open, if any is, so that most calls meet an open file. */
  #meant(n: number, isMeant: (open: number | Handle) => boolean): number {
    const open = [...this.#slots.keys()].filter((at) => isMeant(this.#slots[at] ?? CLOSED));
    return open[n % open.length] ?? n;
  }

  /** What is in the slot that a call means. */
  slot(n: number): number | Handle {
    return this.#slots[this.#meant(n, (open) => open !== CLOSED)] ?? CLOSED;
  }

  fd(n: number): number {
    const open = this.slot(n);
    return typeof open === "number" ? open : open.fd;
  }

  /** Puts what a call has opened into a slot, which is closed. */
  fill(n: number, open: number | Handle): void {
    this.#slots[n] = open;
  }

  /** The slot is closed, or is going to be. Returns what was in it. */
  empty(n: number): number | Handle {
    const open = this.#slots[n] ?? CLOSED;
    this.#slots[n] = CLOSED;
    return open;
  }

  /**
   * Makes a call on the descriptor in a slot: `fs.fsync(fd)`, or `handle.sync()` in a promise's form. Without a handle the call has a
   * callback then.
   */
  onSlot(form: Form, n: number, name: string, method: string, ...args: unknown[]): unknown {
    if (form === "sync") return this.sync(name, this.fd(n), ...args);
    const handle = this.handle(n);
    if (form === "callback" || handle === undefined) return this.callback(name, this.fd(n), ...args);
    return member(handle, method)(...args);
  }

  /** One of the handles; undefined: there is none. */
  handle(n: number): Handle | undefined {
    const open = this.#slots[this.#meant(n, (open) => typeof open !== "number")];
    return typeof open === "number" ? undefined : open;
  }

  /** The same, for a call that closes it. */
  takeHandle(n: number): Handle | undefined {
    const at = this.#meant(n, (open) => typeof open !== "number");
    const open = this.handle(n);
    if (open !== undefined) this.empty(at);
    return open;
  }

  /** Opens a file by its descriptor and one by a handle, so that the first calls find some. */
  async begin(): Promise<void> {
    this.fill(0, this.sync("open", `${this.side.base}f`, "r+") as number);
    this.fill(1, (await this.promise("open", `${this.side.base}g`, "a+")) as Handle);
  }

  /** Closes whatever is open. */
  async end(): Promise<void> {
    for (const n of this.#slots.keys()) {
      const open = this.empty(n);
      if (typeof open !== "number") await open.close();
      else if (open !== CLOSED) this.sync("close", open);
    }
  }
}
