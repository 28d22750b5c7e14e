/** Faults in the library's own calls: options, handles, attachments, drivers, and how the end of a thread is noticed. */
import { tests } from "./detectors.js";
import type { Mutant } from "./faults.js";

const BRIDGE = "packages/threadfs/src/bridge";
const API_DIR = "packages/threadfs/src/api";
const THREADS = `${BRIDGE}/threads.ts`;
const ATTACHMENT = `${BRIDGE}/attachment.ts`;

const OPTIONS: Mutant[] = [
  {
    name: "an option that is not known is ignored",
    edits: [
      {
        file: `${BRIDGE}/options.ts`,
        from: "    if (!Object.hasOwn(known, key)) {",
        to: "    if (!Object.hasOwn(known, key) && key in read) {",
      },
    ],
    caughtBy: [tests("api/options", "is refused, and")],
  },
  {
    name: "a hook that is misspelt is never called",
    edits: [{ file: `${BRIDGE}/driver-table.ts`, from: "    checkDriverKeys(driver);\n", to: "" }],
    caughtBy: [tests("api/options")],
  },
  {
    name: "a driver may have the name of a built-in type",
    edits: [
      {
        file: `${BRIDGE}/driver-table.ts`,
        from: "    if (BUILT_IN_TYPES.includes(driver.name)) {",
        to: '    if (driver.name === "") {',
      },
    ],
    caughtBy: [tests("api/options", "built-in type")],
  },
  {
    name: "options are taken from a changed Object.prototype",
    edits: [
      {
        file: `${BRIDGE}/options.ts`,
        from: "  const read = Object.create(null) as Partial<T>;",
        to: "  const read = {} as Partial<T>;",
      },
    ],
    caughtBy: [tests("api/options", "one of Object.prototype is not an option")],
  },
  {
    name: "the options of an attachment have Object.prototype for their defaults",
    edits: [
      {
        file: "packages/threadfs/src/errors/bare.ts",
        from: "  return Object.assign(Object.create(null), properties);",
        to: "  return { ...properties };",
      },
    ],
    caughtBy: [tests("api/options", "a changed Object.prototype")],
  },
  {
    name: "what a driver leaves out is taken from a changed Object.prototype",
    edits: [
      {
        file: "packages/threadfs/src/errors/bare.ts",
        from: "  return Object.hasOwn(object, key) || !(key in Object.prototype) ? object[key] : undefined;",
        to: "  return object[key];",
      },
    ],
    caughtBy: [tests("api/options", "a changed Object.prototype")],
  },
  {
    name: "a clock may call the tree that reads it",
    edits: [
      {
        file: `${BRIDGE}/host-imports.ts`,
        from: "    now: now ? () => owner.runHook(now) : time,",
        to: "    now: now ?? time,",
      },
    ],
    caughtBy: [tests("api/vfs", "a clock that calls its tree")],
  },
  {
    name: "a name with a slash in a driver's listing reaches rm",
    edits: [
      {
        file: `${BRIDGE}/driver-table.ts`,
        from: 'name !== "" && !/[/\\0]/.test(name)',
        to: 'name !== ""',
      },
    ],
    caughtBy: [tests("fs/hooks", "lead out of the directory")],
  },
  {
    name: "a driver's owner of 2^32 is root",
    edits: [
      { file: `${BRIDGE}/driver-table.ts`, from: '    if (!isUpTo(uid, ID_MAX)) throw wrong("uid", uid);\n', to: "" },
    ],
    caughtBy: [tests("fs/driver", "attributes out of range")],
  },
  {
    name: 'whatever emits "exit" passes for a worker',
    edits: [
      {
        file: THREADS,
        from: "value instanceof threads.Worker;",
        to: 'typeof (value as WorkerLike | null)?.once === "function" && typeof (value as WorkerLike).threadId === "number";',
      },
    ],
    caughtBy: [tests("threads/death", "what is no worker")],
  },
  {
    name: "contexts stay when the Vfs that made them is closed",
    edits: [
      {
        file: `${API_DIR}/context.ts`,
        from: "    if (this.#endsWithThread) this.#destroy();\n",
        to: "",
      },
    ],
    caughtBy: [tests("api/context-lives", "end with the Vfs")],
  },
  {
    name: "a context that a hook closes is closed in the thread alone",
    edits: [
      {
        file: `${API_DIR}/context.ts`,
        from: "    this.#attachment.check();\n    this.#attachment.core.contextDestroy",
        to: "    if (this.#attachment.state !== 0) return;\n    this.#attachment.core.contextDestroy",
      },
    ],
    caughtBy: [tests("api/context-lives", "a hook cannot close")],
  },
  {
    name: "a handle's context is read again after it was checked",
    edits: [{ file: `${API_DIR}/attach.ts`, from: "  const { ctx } = checked;", to: "  const { ctx } = handle;" }],
    caughtBy: [tests("api/context-lives", "a handle is what it was")],
  },
  {
    name: "the end of a worker recovers only the threads that say they belong to it",
    edits: [
      {
        file: ATTACHMENT,
        from: "    this.#recoverUnlocked(1).catch(() => {});\n    if (!this.#expected",
        to: "    if (!this.#expected",
      },
    ],
    caughtBy: [tests("threads/locks", "made without attaching itself")],
  },
  {
    name: "null is taken for no options",
    edits: [
      {
        file: `${BRIDGE}/options.ts`,
        from: "  if (value === undefined) return read;",
        to: "  if (value == null) return read;",
      },
    ],
    caughtBy: [tests("api/options", "null and values")],
  },
  {
    name: "any value but false turns a switch on",
    edits: [
      {
        file: `${BRIDGE}/options.ts`,
        from: '  if (value !== undefined && typeof value !== "boolean") throw invalidArgType(name, "of type boolean", value);\n  return value === true;',
        to: "  return Boolean(value);",
      },
    ],
    caughtBy: [tests("api/options", "a switch is true or false")],
  },
  {
    name: "the option that keeps a context in its root is forgotten",
    edits: [
      {
        file: `${API_DIR}/context.ts`,
        from: '    resolve: toResolve(resolve, "options.resolve", "cached"),',
        to: "    resolve: 0,",
      },
    ],
    caughtBy: [tests("resolve/in-root", "with it")],
  },
  {
    name: "a handle may have any number as its context",
    edits: [
      {
        file: `${BRIDGE}/handle.ts`,
        from: "  if (!Number.isSafeInteger(ctx) || (ctx as number) < 0) throw",
        to: '  if (typeof ctx !== "number") throw',
      },
    ],
    caughtBy: [tests("api/context-lives", "a number of no context"), tests("api/bad-input")],
  },
  {
    name: "a tree can be cloned into an object without a memory",
    edits: [{ file: `${API_DIR}/vfs.ts`, from: "    refuseCloning(this, ", to: "    void ([] as unknown[]).concat(" }],
    caughtBy: [tests("api/context-lives", "structuredClone")],
  },
  {
    name: "one context too many is a bare error number",
    edits: [
      {
        file: `${API_DIR}/context.ts`,
        from: "  if (made !== -ERRNO.EAGAIN) throw cause;",
        to: "  if (made < 0) throw cause;",
      },
    ],
    caughtBy: [tests("api/context-lives", "one context too many")],
  },
  {
    name: "a page that is not isolated is not told",
    edits: [
      {
        file: `${BRIDGE}/abilities.ts`,
        from: " && !(onPage && crossOriginIsolated === false)) return;",
        to: ") return;",
      },
    ],
    caughtBy: [tests("api/abilities")],
  },
  {
    name: "a thread without the driver gets ENXIO and no word more",
    edits: [
      {
        file: `${BRIDGE}/driver-table.ts`,
        from: "    if (missing === 0) return;\n    this.#missing = 0;",
        to: "    if (missing >= 0) return;\n    this.#missing = 0;",
      },
    ],
    caughtBy: [tests("fs/super", "has not registered the driver")],
  },
];

const ATTACHMENTS: Mutant[] = [
  {
    name: "attaching twice takes two slots",
    edits: [
      {
        file: `${API_DIR}/attach.ts`,
        from: "    const pending = get?.();\n",
        to: "    const pending: ReturnType<Known> = undefined as ReturnType<Known>;\n",
      },
    ],
    caughtBy: [tests("threads/ends", "is one attachment")],
  },
  {
    name: "the first user that closes detaches the thread of all",
    edits: [
      { file: `${API_DIR}/attach.ts`, from: "  if (shared.users === 1) {\n", to: "  if (shared.users >= 1) {\n" },
    ],
    caughtBy: [tests("threads/ends", "is one attachment")],
  },
  {
    name: "the end of a worker is not noticed",
    edits: [
      { file: THREADS, from: '  process.on("worker", (worker) => watchWorker(worker as WorkerLike));\n', to: "" },
    ],
    caughtBy: [tests("threads/ends", "gives back its slot and its descriptors")],
  },
  {
    name: "the end of a worker is not that of the workers it has made",
    edits: [{ file: ATTACHMENT, from: "    this.recover(hostId, true);\n", to: "    this.recover(hostId);\n" }],
    caughtBy: [tests("threads/ends", "gives back its slot and its descriptors")],
  },
  {
    name: "a thread that ends by itself keeps its slot",
    edits: [
      { file: ATTACHMENT, from: "      if (this.unguarded.threadDetach() >= 0) this.state = STATE_CLOSED;\n", to: "" },
      { file: ATTACHMENT, from: "    this.recover(hostId, true);\n", to: "" },
    ],
    caughtBy: [tests("threads/ends", "gives back its slot and its descriptors")],
  },
  {
    name: "closeOnExit is not passed to the core",
    edits: [
      { file: ATTACHMENT, from: " | (host.closeOnExit ? THREAD_CLOSES : 0);", to: " | (host.closeOnExit ? 0 : 0);" },
    ],
    caughtBy: [tests("threads/ends", "gives back its slot and its descriptors")],
  },
  {
    name: "a full tree is full, though the threads in its slots have ended",
    edits: [
      {
        file: `${API_DIR}/attach.ts`,
        from: "  return { slots: ended.map(({ slot }) => slot),",
        to: "  return { slots: ended.slice(ended.length).map(({ slot }) => slot),",
      },
    ],
    caughtBy: [tests("threads/ends", "is taken over where")],
  },
  {
    name: "the exit event is proof of a worker's end in every host",
    edits: [
      {
        file: THREADS,
        from: "  return nodeProcess()?.versions?.deno === undefined;",
        to: "  return nodeProcess() !== undefined;",
      },
    ],
    caughtBy: [tests("threads/ends", "is not recovered at the exit event")],
  },
  {
    name: "a call that waited too long poisons its attachment",
    edits: [
      {
        file: ATTACHMENT,
        from: "    if (this.limit.isPassed(cause)) {\n      this.#abandon();\n      throw",
        to: "    if (this.limit.isPassed(undefined)) {\n      this.#abandon();\n      throw",
      },
    ],
    caughtBy: [tests("mem/waiting", "leaves a call that waits too long")],
  },
  {
    name: "the limit of a wait is always the default",
    edits: [
      {
        file: `${BRIDGE}/host-imports.ts`,
        from: "  return host.lockTimeoutMs ?? WAIT_LIMIT_MS;",
        to: "  return WAIT_LIMIT_MS;",
      },
    ],
    caughtBy: [tests("mem/waiting", "the limit is a number"), tests("mem/waiting")],
  },
  {
    name: "a hook may call the tree that called it",
    edits: [{ file: ATTACHMENT, from: "    this.state = STATE_IN_HOOK;\n    try {", to: "    try {" }],
    caughtBy: [tests("api/closing"), tests("unit/fs/hooks"), tests("mem/poison")],
  },
];

export const API: Mutant[] = [...OPTIONS, ...ATTACHMENTS];

/** Faults in the command line, the runner of the tests and the checks themselves. */
export const TOOLS: Mutant[] = [
  {
    name: "a check that is left nothing to check holds",
    edits: [
      {
        file: "packages/verify/src/support/usage-error.ts",
        from: "  if (list.length > 0) return list;",
        to: "  if (list.length >= 0) return list;",
      },
    ],
    caughtBy: [tests("verify/support/command-line", "left nothing to check")],
  },
  {
    name: "a file of tests is stopped by the clock, however busy the machine is",
    edits: [
      {
        file: "packages/tools/src/test-run/watchdog.worker.ts",
        from: "  const { user, system } = process.cpuUsage();",
        to: "  const [user, system] = [(performance.now() - begin) * 1000, 0];",
      },
    ],
    caughtBy: [tests("tools/watchdog")],
  },
  {
    name: "tables are as wide as their cells, whatever the terminal is",
    edits: [
      {
        file: "packages/cli/src/support/text-table.ts",
        from: "  return stream.columns || (Number",
        to: "  return stream.columns ? 1000 : (Number",
      },
    ],
    caughtBy: [tests("cli/support/text-table"), tests("cli/job")],
  },
  {
    name: "the job takes more threads than a tree has slots",
    edits: [
      {
        file: "packages/cli/src/main.ts",
        from: "between(1, MAX_THREADS - OTHER_THREADS)",
        to: "between(1, 2 * MAX_THREADS)",
      },
    ],
    caughtBy: [tests("cli/job/job", "a bad argument")],
  },
];
