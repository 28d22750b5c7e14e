/** Faults of what programs of WASI need of the core, and of src/wasi. */
import { death, deathInWasi, deathOfComponent, races, type Step, tests } from "../detectors.js";
import type { Mutant } from "../faults.js";

const WASI = "packages/threadfs/src/wasi";
const BINDING = "packages/threadfs/src/napi-rs/binding.ts";
const STATUS = "vfs/file/status.ts";
const status = (pattern: string): Step => tests("unit/fs/status", pattern);
const wasi = (file: string, pattern: string): Step => tests(`unit/wasi/${file}`, pattern);
const binding = (pattern: string): Step => tests("unit/napi-rs", pattern);

export const PROGRAMS: Mutant[] = [
  {
    name: "the mode that keeps the paths of all calls below their descriptors does nothing",
    edits: [{ file: "vfs/walk/path-init.ts", from: "nd.how = beneath ? LOOKUP_BENEATH : 0;", to: "nd.how = 0;" }],
    caughtBy: [tests("resolve/beneath", "MODE_BENEATH")],
  },
  {
    name: "a listing goes on where the descriptor was, not where the call says",
    edits: [{ file: "vfs/file/readdir.ts", from: "    if (from >= 0) moveTo(f, from);\n", to: "" }],
    caughtBy: [tests("unit/vfs/readdir", "is where the listing goes on")],
  },
  {
    name: "F_SETFL sets all flags",
    edits: [{ file: STATUS, from: "(f.flags & ~SETFL_MASK) | (<u32>flags & SETFL_MASK)", to: "<u32>flags" }],
    caughtBy: [status("O_APPEND and O_NONBLOCK")],
  },
  {
    name: "a thread that polls a pipe does not say that it is about to wait",
    edits: [
      {
        file: "vfs/pipe/poll.ts",
        from: "const seen = expectChange(word);",
        to: "const seen = atomic.load<u32>(word);",
      },
      { file: "vfs/pipe/poll.ts", from: "import { expectChange, readersWord", to: "import { readersWord" },
    ],
    caughtBy: [status("its bytes, and the word")],
  },
  {
    name: "poll looks at a pipe without its lock",
    edits: [
      { file: "vfs/pipe/poll.ts", from: "  mutexLock(i.mutex);\n", to: "" },
      { file: "vfs/pipe/poll.ts", from: "  mutexUnlock(i.mutex);\n", to: "" },
      { file: "vfs/pipe/poll.ts", from: 'import { mutexLock, mutexUnlock } from "../../mem/lock/lock";\n', to: "" },
    ],
    caughtBy: [races("pipes@poll: sysPoll(fd=3 || write: sysWrite(fd=4 data=de")],
  },
  {
    name: "a program opens with rights that its directory does not pass on",
    edits: [
      {
        file: `${WASI}/calls/paths.ts`,
        from: "    if (((base | inheriting) & ~descriptors.inheriting) !== 0) return ERRNO.ENOTCAPABLE;\n",
        to: "",
      },
    ],
    caughtBy: [wasi("files", "rights: what")],
  },
  {
    name: "a program's read begins before it is checked that its buffers are in its memory",
    edits: [{ file: `${WASI}/memory.ts`, from: "      if (!this.has(start, length)) return false;\n", to: "" }],
    caughtBy: [wasi("bad", "an address outside")],
  },
  {
    name: "a program's open that waits too long leaves its thread in the call",
    edits: [
      { file: `${WASI}/calls/paths.ts`, from: "      return attachment.leave(error);\n", to: "      throw error;\n" },
    ],
    caughtBy: [wasi("bad", "waits too long")],
  },
  {
    name: "a moved descriptor has the rights of the one that it replaces",
    edits: [
      {
        file: `${WASI}/descriptors.ts`,
        from: "for (const word of [INFO, RIGHTS, INHERITING,",
        to: "for (const word of [INFO, INHERITING,",
      },
    ],
    caughtBy: [wasi("files", "fd_renumber")],
  },
  {
    name: "a file that is opened leaves the walk its references, which it has taken over",
    edits: [{ file: "vfs/file/open.ts", from: "  nd.dentry_ = 0;\n  nd.mnt_ = 0;\n  store<f64>", to: "  store<f64>" }],
    caughtBy: [death("small openat:", { more: ["--short"] })],
  },
  {
    name: "openat2 leaves the mode of the file before",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "  store<f64>(scratch + SCRATCH.STAT + (STAT.mode << 3), <f64>(i.mode & 0xffff));\n",
        to: "",
      },
    ],
    caughtBy: [wasi("paths", "the type of what is opened")],
  },
  {
    name: "a program whose table another thread has gives its numbers out without exchanges",
    edits: [{ file: `${WASI}/descriptors.ts`, from: "    this.#alone = false;\n", to: "" }],
    caughtBy: [wasi("threads", "without exchanges")],
  },
  {
    name: "a number of a program is free before its file is closed",
    edits: [
      {
        file: `${WASI}/program.ts`,
        from: "    const failed = fd < 0 ? 0 : this.#closeFd(fd);\n    this.descriptors.release(number);\n    return failed;\n",
        to: "    this.descriptors.release(number);\n    return fd < 0 ? 0 : this.#closeFd(fd);\n",
      },
    ],
    caughtBy: [deathInWasi("fd_close(5)")],
  },
  {
    name: "a program has ended before its exit code is there",
    edits: [
      {
        file: `${WASI}/calls/process.ts`,
        from: "  if (Atomics.compareExchange(pairs, WORD.EXIT / 2, 0n, wide(1, code)) !== 0n) return;\n",
        to: "  if (Atomics.compareExchange(pairs, WORD.EXIT / 2, 0n, wide(1, 0)) !== 0n) return;\n  Atomics.store(words, WORD.CODE, code);\n",
      },
    ],
    caughtBy: [deathInWasi("proc_exit")],
  },
  {
    name: "the two kinds of rights are taken away one after the other",
    edits: [
      {
        file: `${WASI}/descriptors.ts`,
        from: "    Atomics.and(this.pairs, (entryOf(number) + RIGHTS) / 2, wide(rights, inheriting));\n",
        to: "    for (const [word, kept] of [[RIGHTS, rights], [INHERITING, inheriting]] as const)\n      Atomics.and(this.words, entryOf(number) + word, kept);\n",
      },
    ],
    caughtBy: [deathInWasi("fd_fdstat_set_rights(8")],
  },
  {
    name: "a number that a thread moves is moved back, though the move has happened",
    edits: [
      {
        file: `${WASI}/descriptors.ts`,
        from: "moving.find((at) => words[at + PARTNER] !== 0);",
        to: "moving.find((at) => words[at + PARTNER] === COPIED);",
      },
      {
        file: `${WASI}/descriptors.ts`,
        from: "      Atomics.store(words, source, name);\n",
        to: "      this.release(numberOf(source));\n",
      },
    ],
    caughtBy: [deathInWasi("fd_renumber(5, 6)")],
  },
  {
    name: "a component sets the size of a file in two calls",
    edits: [
      {
        file: `${WASI}/preview2/descriptor.ts`,
        from: "    done(core.sysFtruncate(ctx, fd, Number(size)));\n",
        to: "    done(core.sysFtruncate(ctx, fd, 0));\n    done(core.sysFtruncate(ctx, fd, Number(size)));\n",
      },
    ],
    caughtBy: [deathOfComponent("Descriptor.setSize")],
  },
  {
    name: "a worker is given its thread in two stores",
    edits: [
      {
        file: `${WASI}/threads.ts`,
        from: "      if (Atomics.compareExchange(pairs, at / 2, waits, wide(id, argument)) !== waits) continue;\n",
        to: "      if (Atomics.compareExchange(pairs, at / 2, waits, wide(id, 0)) !== waits) continue;\n      Atomics.store(words, at + 1, argument);\n",
      },
    ],
    caughtBy: [deathInWasi("thread-spawn")],
  },
  {
    name: "the files of a program have no tags",
    edits: [
      {
        file: "vfs/file/open.ts",
        from: "  // Read by others after the exchange that installs the file.\n  reservedFile.tag_ = tag;\n",
        to: "",
      },
    ],
    caughtBy: [deathInWasi('path_open(3, 1, "d/h"'), death("small tagged:", { more: ["--short"] })],
  },
  {
    name: "a thread of a binding has descriptors of its own",
    edits: [
      { file: `${WASI}/wasi.ts`, from: "new Descriptors(calls, handle.descriptors)", to: "new Descriptors(calls)" },
    ],
    caughtBy: [binding("descriptors of the others")],
  },
  {
    name: "the end of a binding leaves its descriptors open",
    edits: [{ file: BINDING, from: "    }\n    this.wasi.close();\n", to: "    }\n" }],
    caughtBy: [binding("emnapi gets a WASI")],
  },
  {
    name: "a binding that fails to start leaves its descriptors open",
    edits: [{ file: BINDING, from: "    wasi.close();\n    throw error;\n", to: "    throw error;\n" }],
    caughtBy: [binding("what emnapi throws")],
  },
  {
    name: "a component renames to a directory of another tree",
    edits: [
      {
        file: `${WASI}/preview2/descriptor.ts`,
        from: '    if (other.#tree !== this.#tree) throw "cross-device" satisfies ErrorCode;\n',
        to: "",
      },
    ],
    caughtBy: [wasi("preview2/bad", "descriptor of another tree")],
  },
  {
    name: "a write with a position appends where the stream before has appended",
    edits: [
      {
        file: `${WASI}/preview2/open-file.ts`,
        from: "this.#setAppends(position < 0)",
        to: "position < 0 ? this.#setAppends(true) : 0",
      },
    ],
    caughtBy: [wasi("preview2/streams", "an appending one")],
  },
  {
    name: "the drop of a descriptor closes the file under its streams",
    edits: [
      {
        file: `${WASI}/preview2/open-file.ts`,
        from: "    if (--this.#users === 0) this.close();\n",
        to: "    this.close();\n",
      },
    ],
    caughtBy: [wasi("preview2/descriptor", "what is dropped")],
  },
  {
    name: "a binding has no workers ready when its start returns",
    edits: [{ file: BINDING, from: "ready === 0 ? true : { size: ready }", to: "true" }],
    caughtBy: [binding("workers ready")],
  },
  {
    name: "poll_oneoff reads its subscriptions where it has written its events",
    edits: [
      {
        file: `${WASI}/calls/poll.ts`,
        from: "new DataView(this.#program.memory.bytes.slice(from, from + count * SUBSCRIPTION_SIZE).buffer)",
        to: "new DataView(this.#program.memory.bytes.buffer, from, count * SUBSCRIPTION_SIZE)",
      },
    ],
    caughtBy: [wasi("poll", "written over the subscriptions")],
  },
  {
    name: "a transfer fails when a driver has let the program's memory grow",
    edits: [
      {
        file: `${WASI}/program.ts`,
        from: "    this.memory.refresh();\n    return this.memory.buffers();\n",
        to: "    return this.memory.buffers();\n",
      },
    ],
    caughtBy: [wasi("bad", "in the middle of a long transfer")],
  },
  {
    name: "a program does not wait for the workers of its threads",
    edits: [
      { file: `${WASI}/wasi.ts`, from: "waitingWorkers(descriptors) < wanted", to: "waitingWorkers(descriptors) < 0" },
    ],
    caughtBy: [wasi("threads", "when the workers are ready")],
  },
  {
    name: "a reactor's exit is hidden",
    edits: [{ file: `${WASI}/wasi.ts`, from: "    if (exit !== undefined) throw exit;\n", to: "" }],
    caughtBy: [wasi("start", "a reactor that exits")],
  },
];
