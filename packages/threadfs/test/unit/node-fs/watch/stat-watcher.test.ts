/** `watchFile` and `unwatchFile` as in Node 26: arguments, events, listeners, what keeps the process alive. */
import type { StatWatcher } from "node:fs";
import { describe } from "node:test";
import { pathToFileURL } from "node:url";
import type { FsCalls } from "../../../support/fs-calls.js";
import { outcome } from "../../../support/oracle/works.js";
import {
  type Attempt,
  closeAgain,
  compared,
  FILE,
  fair,
  optional,
  type Place,
  pairs,
  prepare,
  type Row,
  single,
} from "../arguments/places.js";
import { suite, type Work } from "../both.js";
import { type Changes, changesOf, OFTEN, putFile } from "./changes.js";

const { same, sameEach } = suite(import.meta.url, () => {});

type Calls = { readonly [name: string]: (...given: readonly unknown[]) => StatWatcher | undefined };
/** What Node's types do not have. */
type Whole = StatWatcher & { start(): unknown; stop(): unknown };

function stop(watcher: StatWatcher): void {
  (watcher as Whole).stop();
}

const listener: Place = { right: () => () => {} };
const ROWS: readonly Row[] = [
  ["watchFile", "watchFile", [FILE, optional("bigint", "interval", "persistent"), listener]],
  ["watchFile without options", "watchFile", [FILE, listener]],
  ["unwatchFile", "unwatchFile", [FILE, listener]],
];

/** One call with the given arguments in a fresh directory. */
function tryCall(fs: FsCalls, dir: string, name: string, make: Attempt[1]): unknown {
  const fd = prepare(fs, dir);
  const given = make(dir, fd);
  const call = (fs as unknown as Calls)[name] as Calls[string];
  const done = outcome(() => {
    const watcher = call(...given);
    const count = watcher?.listenerCount("change");
    if (watcher !== undefined) fs.unwatchFile(given[0] as string);
    return [watcher?.constructor.name, count, watcher?.listenerCount("change")];
  });
  closeAgain(fs, fd);
  return compared(done);
}

function tryAll(name: string, all: readonly Attempt[]): Work {
  const attempts = fair(name, all);
  return (fs, dir) =>
    Object.fromEntries(attempts.map(([title, make], n) => [title, tryCall(fs, `${dir}/${n}`, name, make)]));
}

describe("watchFile and unwatchFile look at their arguments as Node does", () => {
  for (const [title, name, places] of ROWS) {
    sameEach(`${title}, one wrong argument`, tryAll(name, single(places)));
    sameEach(`${title}, two wrong arguments`, tryAll(name, pairs(places)));
  }

  same("with the last listener where there are two", (fs, dir) => {
    const [first, last] = [() => {}, () => {}];
    const given = [`${dir}/f`, {}, last, first] as const;
    const watcher = (fs as unknown as Calls).watchFile?.(...given);
    const [found] = watcher?.listeners("change") ?? [];
    fs.unwatchFile(`${dir}/f`);
    return found === last;
  });

  same("with options that are read once, before the listener is looked at", (fs, dir) => {
    const read: string[] = [];
    const options = Object.defineProperties(
      {},
      Object.fromEntries(
        ["interval", "bigint", "persistent", "other"].map((name) => {
          const get = () => {
            read.push(name);
            return name === "interval" ? 5 : undefined;
          };
          return [name, { get, enumerable: true }];
        }),
      ),
    );
    const wrong = outcome(() => (fs as unknown as Calls).watchFile?.(`${dir}/f`, options, 5));
    fs.watchFile(`${dir}/f`, options, () => {});
    fs.unwatchFile(`${dir}/f`);
    return [wrong, read];
  });

  same("and at the interval of the first listener only", (fs, dir) => {
    fs.watchFile(`${dir}/f`, () => {});
    const count = fs.watchFile(`${dir}/f`, { interval: -1 }, () => {}).listenerCount("change");
    fs.unwatchFile(`${dir}/f`);
    return [count, outcome(() => fs.watchFile(`${dir}/f`, { interval: -1 }, () => {}))];
  });
});

/** What a change leads to, and what is left at the end. */
async function afterEach(changes: Changes, steps: readonly (() => void)[]): Promise<unknown> {
  const seen: unknown[] = [await changes.next()];
  for (const step of steps) {
    step();
    seen.push(await changes.next());
  }
  return [seen, changes.left];
}

describe("a file that is watched", () => {
  for (const bigint of [false, true]) {
    same(`is missing, made, changed, removed, made again: bigint ${bigint}`, async (fs, dir) => {
      const path = `${dir}/f`;
      const changes = changesOf(fs, path, { ...OFTEN, bigint });
      const seen = await afterEach(changes, [
        () => putFile(fs, path, "x"),
        () => fs.appendFileSync(path, "yz"),
        () => fs.chmodSync(path, 0o600),
        () => fs.utimesSync(path, 5, 6),
        () => putFile(fs, path, "replaced"),
        () => fs.linkSync(path, `${dir}/link`),
        () => fs.unlinkSync(path),
        () => putFile(fs, path, "again"),
        () => fs.truncateSync(path, 2),
      ]);
      fs.unwatchFile(path);
      return seen;
    });
  }

  same("may be a directory, and may be reached by a link", async (fs, dir) => {
    const changes = changesOf(fs, `${dir}/link`);
    const seen = await afterEach(changes, [
      () => {
        fs.mkdirSync(`${dir}/d`);
        fs.symlinkSync("d", `${dir}/link`);
      },
      () => fs.chmodSync(`${dir}/d`, 0o700),
      () => fs.unlinkSync(`${dir}/link`),
    ]);
    fs.unwatchFile(`${dir}/link`);
    // Sizes of directories differ.
    return JSON.stringify(seen).replaceAll(/"\d+ (?=4)/g, '"');
  });

  same("is told once for each error", async (fs, dir) => {
    const path = `${dir}/d/f`;
    const changes = changesOf(fs, path);
    const seen = await afterEach(changes, [
      () => putFile(fs, `${dir}/d`, "no directory"),
      () => {
        fs.symlinkSync("d", `${dir}/new`);
        fs.renameSync(`${dir}/new`, `${dir}/d`);
      },
      () => {
        fs.mkdirSync(`${dir}/made`);
        putFile(fs, `${dir}/made/f`, "x");
        fs.unlinkSync(`${dir}/d`);
        fs.renameSync(`${dir}/made`, `${dir}/d`);
      },
      () => fs.renameSync(`${dir}/d`, `${dir}/made`),
    ]);
    fs.unwatchFile(path);
    return seen;
  });

  same("has bigints for true alone, also from Object.prototype", async (fs, dir) => {
    const changes = [1, "true", {}, undefined].map((bigint, i) => changesOf(fs, `${dir}/${i}`, { ...OFTEN, bigint }));
    const prototype = Object.prototype as { bigint?: boolean };
    prototype.bigint = true;
    try {
      changes.push(changesOf(fs, `${dir}/polluted`));
    } finally {
      delete prototype.bigint;
    }
    const seen: unknown[] = [];
    for (const each of changes) seen.push(await each.next());
    for (const { watcher } of changes) stop(watcher);
    return seen;
  });
});

describe("the listeners of a file", () => {
  same("share a watcher, by whatever name they know the file", async (fs, dir) => {
    fs.mkdirSync(`${dir}/d`);
    const changes = changesOf(fs, `${dir}/f`);
    const names = [`${dir}//f/`, `${dir}/none/.././f`, pathToFileURL(`${dir}/f`), `${dir}/d`, `${dir}/F`];
    const watchers = names.map((name) => fs.watchFile(name, changes.listener));
    const seen = [await changes.next(), await changes.next(), await changes.next(), await changes.next()];
    fs.unwatchFile(pathToFileURL(`${dir}/f`));
    for (const name of names) fs.unwatchFile(name);
    return [watchers.map((watcher) => watcher === changes.watcher), seen];
  });

  same("know a relative name in the working directory of their call", (fs, dir) => {
    const absolute = fs.watchFile(fs.realpathSync(""), () => {});
    const found = ["", ".", `${"../".repeat(50)}${dir}/..`].map((name) => fs.watchFile(name, () => {}) === absolute);
    for (const name of ["", ".", `${dir}/..`]) fs.unwatchFile(name);
    return found;
  });

  same("are removed one at a time, or all, and the last one stops the watcher", async (fs, dir) => {
    const path = `${dir}/f`;
    const told: string[] = [];
    const [a, b] = [() => told.push("a"), () => told.push("b")];
    const watcher = fs.watchFile(path, OFTEN, a);
    for (const more of [b, b, a]) fs.watchFile(path, more);
    watcher.on("stop", () => told.push("stop"));
    const counts: unknown[] = [];
    const remove = (which?: () => unknown) => {
      const given = which === undefined ? [path] : [path, which];
      counts.push((fs as unknown as Calls).unwatchFile?.(...given), watcher.listenerCount("change"));
    };
    for (const which of [() => {}, a, b]) remove(which);
    counts.push(watcher.listeners("change").map((each) => (each === a ? "a" : "b")));
    await new Promise((resolve) => watcher.once("change", resolve));
    for (const which of [a, b, b, undefined]) remove(which);
    // The listener of once() was called and is gone.
    told.push("returned");
    await new Promise(setImmediate);
    const next = fs.watchFile(path, a);
    fs.unwatchFile(path);
    return [told, counts, next === watcher];
  });

  same("are all removed by what is no function", (fs, dir) => {
    const counts = [undefined, null, 5, "x", {}].map((which) => {
      const watcher = fs.watchFile(`${dir}/f`, () => {});
      fs.watchFile(`${dir}/f`, () => {});
      (fs as unknown as Calls).unwatchFile?.(`${dir}/f`, which);
      return watcher.listenerCount("change");
    });
    return counts;
  });
});

describe("a watcher that ends", () => {
  same("keeps its listeners when it was stopped, and tells them nothing more", async (fs, dir) => {
    const path = `${dir}/f`;
    const changes = changesOf(fs, path);
    const told: unknown[] = [];
    changes.watcher.on("stop", () => told.push("stop"));
    await changes.next();
    for (let i = 0; i < 2; i++) stop(changes.watcher);
    told.push("returned");
    await new Promise((resolve) => setImmediate(resolve));
    const again = fs.watchFile(path, () => told.push("change")) === changes.watcher;
    // Another watcher sees the change, and so this one would.
    const other = changesOf(fs, `${dir}/other`);
    await other.next();
    putFile(fs, path, "x");
    putFile(fs, `${dir}/other`, "x");
    await other.next();
    fs.unwatchFile(`${dir}/other`);
    fs.unwatchFile(path);
    const fresh = changesOf(fs, path);
    fs.unlinkSync(path);
    await fresh.next();
    fs.unwatchFile(path);
    return [told, again, fresh.watcher === changes.watcher, changes.left];
  });

  same("may be ended by a listener, which may watch again", async (fs, dir) => {
    const path = `${dir}/f`;
    const told: unknown[] = [];
    await new Promise<void>((resolve) => {
      const first = fs.watchFile(path, OFTEN, () => {
        fs.unwatchFile(path);
        told.push("first");
        const second = fs.watchFile(path, OFTEN, () => {
          told.push("second");
          stop(second);
          second.once("stop", resolve);
        });
        told.push(first === second);
      });
    });
    fs.unwatchFile(path);
    return told;
  });
});

/** What keeps the process alive of watchers: in Node their handles, here their timers. */
function kept(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "StatWatcher" || name === "Timeout").length;
}

/** Small numbers that look random. */
function* numbers(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state >>> 16;
  }
}

/** Calls at random on a new watcher, and after each whether it keeps the process alive. */
function play(fs: FsCalls, path: string, random: Generator<number, never>): string {
  const before = kept();
  const below = (end: number) => random.next().value % end;
  const listeners = [() => {}, () => {}, () => {}];
  const one = () => listeners[below(3)] as () => void;
  const watcher = fs.watchFile(path, { persistent: below(3) > 0 }, () => {}) as Whole;
  const calls: Record<string, () => unknown> = {
    ref: () => watcher.ref() === watcher,
    unref: () => watcher.unref() === watcher,
    start: () => watcher.start(),
    add: () => fs.watchFile(path, { persistent: false }, one()) === watcher,
    remove: () => fs.unwatchFile(path, one()),
    "remove all": () => fs.unwatchFile(path),
  };
  const names = Object.keys(calls);
  let line = `${kept() - before}`;
  for (let i = 0; i < 12; i++) {
    // The last one comes seldom, because it stops the watcher.
    const name = names[below(30) === 0 ? 5 : below(5)] as string;
    line += `, ${name} ${calls[name]?.()} ${kept() - before}`;
  }
  // Node's handle stays for the rest of the turn.
  stop(watcher);
  line += `, stop ${watcher.ref() === watcher} ${watcher.unref() === watcher}`;
  fs.unwatchFile(path);
  return line;
}

describe("a watcher", () => {
  sameEach("keeps the process alive as Node's, whatever is called", (fs, dir) => {
    const random = numbers(1);
    return Object.fromEntries(Array.from({ length: 300 }, (_, i) => [i, play(fs, `${dir}/f${i}`, random)]));
  });

  same("that its class makes does nothing", (fs, dir) => {
    const type = fs.watchFile(`${dir}/f`, () => {}).constructor as new () => Whole;
    fs.unwatchFile(`${dir}/f`);
    const made = new type();
    const does = [made.ref() === made, made.unref() === made, made.start(), made.stop()];
    return [type.name, type.length, Object.getPrototypeOf(type).name, does];
  });
});
