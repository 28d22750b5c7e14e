/** Faults in the calls of `node:fs` around the core: arguments, paths, listings, removals and copies. */
import { tests } from "./detectors.js";
import type { Mutant } from "./faults.js";

const NODE_FS = "packages/threadfs/src/node-fs";
const ARGS = `${NODE_FS}/args.ts`;
const TRANSFER = `${NODE_FS}/arguments/transfer.ts`;
const FILE = `${NODE_FS}/ops-file.ts`;

/** What a caller's objects say of themselves, and the order in which arguments are looked at. */
const ARGUMENTS: Mutant[] = [
  {
    name: "the length of a path's bytes is what the view says of itself",
    edits: [
      {
        file: `${NODE_FS}/arguments/views.ts`,
        from: "  const length = typedLength(view);\n  // A detached",
        to: "  const { length } = view as Uint8Array;\n  // A detached",
      },
    ],
    caughtBy: [tests("arguments/lying-views", "is its own bytes in every call")],
  },
  {
    name: "the buffers of writev are what a method of the caller's array returns",
    edits: [
      {
        file: `${NODE_FS}/vectors/ops-vector.ts`,
        from: "  const buffers: Uint8Array[] = [];\n",
        to: "  if (value.every(isArrayBufferView)) return value.map(bytesLeftOf);\n  const buffers: Uint8Array[] = [];\n",
      },
    ],
    caughtBy: [tests("arguments/lying-views", "buffers at their indexes")],
  },
  {
    name: "the option bigint is read after the call of the core",
    edits: [
      {
        file: `${NODE_FS}/sync.ts`,
        from: "      if (failed === 0) return bigint ? calls",
        to: "      if (failed === 0) return bigint || options?.bigint ? calls",
      },
    ],
    caughtBy: [tests("node-fs/stats", "an option that is an accessor")],
  },
  {
    name: "rm finds its way back up by '..' alone",
    edits: [
      {
        file: `${NODE_FS}/ops-rm.ts`,
        from: "    if (failed === 0 || (failed === -ERRNO.ESTALE && (yield* this.#reopenByNames()) === 0)) return;",
        to: "    if (failed === 0) return;\n    if (failed > 0) yield* this.#reopenByNames();",
      },
    ],
    caughtBy: [tests("resolve/in-root", "deeper than rm's descriptors")],
  },
  {
    name: "a path's bytes are copied by a method of the caller's class",
    edits: [
      {
        file: `${NODE_FS}/arguments/views.ts`,
        from: "  return new Uint8Array(bytesOf(view));\n",
        to: "  return (view as Uint8Array<ArrayBuffer>).slice();\n",
      },
    ],
    caughtBy: [tests("arguments/lying-views", "is its own bytes in every call")],
  },
  {
    name: "a path is checked in the caller's bytes, and then copied",
    edits: [
      {
        file: ARGS,
        from: "  if (includes(bytes, 0)) throw nulInPath(name, value);\n  // Its class",
        to: "  // Its class",
      },
    ],
    caughtBy: [tests("arguments/lying-views", "checked as it is used")],
  },
  {
    name: "the options of a call that was given none inherit from Object.prototype",
    edits: [{ file: ARGS, from: "  /* @__PURE__ */ Object.create(null),\n);", to: "  {},\n);" }],
    caughtBy: [tests("arguments/polluted-prototypes")],
  },
  {
    name: "rm takes 'recursive' from a changed Object.prototype",
    edits: [
      {
        file: `${NODE_FS}/ops-rm.ts`,
        from: "const RM_DEFAULTS = { recursive: false, force: false,",
        to: "const RM_DEFAULTS: { recursive?: boolean; force: boolean; retryDelay: number; maxRetries: number } = { force: false,",
      },
      {
        file: `${NODE_FS}/ops-rm.ts`,
        from: "toBoolean(given.recursive, ",
        to: "toBoolean(given.recursive ?? false, ",
      },
    ],
    caughtBy: [tests("arguments/polluted-prototypes")],
  },
  {
    name: "a handle of another context is used by its number in the context that is asked",
    edits: [
      {
        file: `${NODE_FS}/promises/files.ts`,
        from: "return own === undefined ? { own: calls, opened: undefined } : { own, opened: file as Opened };",
        to: "return own === undefined ? { own: calls, opened: undefined } : { own: calls, opened: file as Opened };",
      },
    ],
    caughtBy: [tests("node-fs/handles", "of another tree")],
  },
  {
    name: "the promise form of mkdir takes 'recursive' from a changed Object.prototype",
    edits: [
      {
        file: `${NODE_FS}/promises/arguments.ts`,
        from: "{ mode: options } : options || NO_OPTIONS;",
        to: "{ mode: options } : { ...(options || NO_OPTIONS) };",
      },
    ],
    caughtBy: [tests("arguments/polluted-later")],
  },
  {
    name: "a path that is too long is taken as its beginning",
    edits: [
      {
        file: "packages/threadfs/src/bridge/string-writer.ts",
        from: "  return read < text.length ? -1 : written;",
        to: "  return written;",
      },
    ],
    caughtBy: [tests("arguments/long-paths")],
  },
  {
    name: "a path that Buffer.write() has cut off is taken for the whole",
    edits: [{ file: `${NODE_FS}/sync.ts`, from: "const PATH_SURE = PATH_MAX - 3;", to: "const PATH_SURE = PATH_MAX;" }],
    caughtBy: [tests("arguments/long-paths")],
  },
  {
    name: "null options of a write are an offset",
    edits: [
      {
        file: TRANSFER,
        from: '  return typeof given.offset === "object" ? membersOf(',
        to: '  return typeof given.offset === "object" && given.offset !== null ? membersOf(',
      },
    ],
    caughtBy: [tests("arguments/forms"), tests("arguments/every-call")],
  },
  {
    name: "a bigint is the position of a write",
    edits: [
      {
        file: TRANSFER,
        from: '  return typeof position === "number" && Number.isSafeInteger(position) ? position : -1;',
        to: "  return Number.isSafeInteger(Number(position ?? -1)) ? Number(position ?? -1) : -1;",
      },
    ],
    caughtBy: [tests("arguments/forms"), tests("arguments/every-call")],
  },
  {
    name: "a signal is not looked at",
    edits: [{ file: ARGS, from: "  toSignal((options as { signal?: unknown }).signal);\n", to: "" }],
    caughtBy: [tests("arguments/forms"), tests("arguments/every-call")],
  },
  {
    name: "open looks at its path before its flags",
    edits: [
      {
        file: FILE,
        from: '    flags: toOpenFlags(flags),\n    mode: toMode(mode, "mode", 0o666),\n    path: toPath(path),\n',
        to: '    path: toPath(path),\n    flags: toOpenFlags(flags),\n    mode: toMode(mode, "mode", 0o666),\n',
      },
    ],
    caughtBy: [tests("arguments/forms"), tests("arguments/every-call")],
  },
  {
    name: "rmdir takes null for no options",
    edits: [
      {
        file: `${NODE_FS}/ops-rm.ts`,
        from: '    if (options !== undefined) toObject(options, "options");\n',
        to: '    if (options) toObject(options, "options");\n',
      },
    ],
    caughtBy: [tests("arguments/forms"), tests("arguments/every-call")],
  },
];

/** Paths that are made of several parts, and their encodings. */
const LISTINGS: Mutant[] = [
  {
    name: "paths are joined without being normalized",
    edits: [
      {
        file: `${NODE_FS}/paths/join.ts`,
        from: '  return normalize(parent !== ""',
        to: '  if (parent + relative !== "") return appendName(parent, relative) as string;\n  return normalize(parent !== ""',
      },
    ],
    caughtBy: [tests("conformance/listings")],
  },
  {
    name: "a Dirent's parentPath is a string, though the path was a Buffer",
    edits: [
      {
        file: `${NODE_FS}/directory/dirent.ts`,
        from: "    this.parentPath = parentPath as string;",
        to: '    this.parentPath = typeof parentPath === "string" ? parentPath : new TextDecoder().decode(parentPath);',
      },
    ],
    caughtBy: [tests("conformance/listings")],
  },
  {
    name: "a recursive readdir lists paths in UTF-8, whatever encoding was asked for",
    edits: [
      {
        file: `${NODE_FS}/directory/tree.ts`,
        from: "          : encodeName(name, encoding),",
        to: '          : encodeName(name, "utf8"),',
      },
    ],
    caughtBy: [tests("conformance/listings")],
  },
  {
    name: "names that are no UTF-8 become strings on their way",
    edits: [
      {
        file: `${NODE_FS}/directory/names.ts`,
        from: '  return typeof text === "string" && !FROM_SURROGATES.test(text) ? text : nameOf(shared, "buffer");',
        to: "  return text;",
      },
    ],
    caughtBy: [tests("conformance/listings")],
  },
  {
    name: "opendir reads as many entries as fit, whatever bufferSize says",
    edits: [
      {
        file: `${NODE_FS}/directory/dir.ts`,
        from: "level.path, this.#bufferSize)) {",
        to: "level.path, 0)) {",
      },
    ],
    caughtBy: [tests("node-fs/directories", "as bufferSize says")],
  },
  {
    name: "realpath follows the link before a '..' in a link's body",
    edits: [
      {
        file: `${NODE_FS}/paths/realpath.ts`,
        from: "import { AT_SYMLINK_NOFOLLOW }",
        to: "import { AT_FDCWD, AT_SYMLINK_NOFOLLOW }",
      },
      {
        file: `${NODE_FS}/paths/realpath.ts`,
        from: '    const target = resolvePath(base.slice(0, base.lastIndexOf("/")), readLink(calls, base));\n    path = resolvePath(target, path.slice(end + 1));',
        to: '    const length = calls.tryPutPath(base);\n    const got = calls.check(calls.core.sysRealpath(calls.ctx, AT_FDCWD, length), "stat", base);\n    const target = nameOf(calls.attachment.io.subarray(0, got), "utf8") as string;\n    path = resolvePath(target, path.slice(end + 1));',
      },
    ],
    caughtBy: [tests("conformance/realpath")],
  },
  {
    name: "times are cut below the microsecond",
    edits: [
      {
        file: ARGS,
        from: "  const nsec = Math.trunc((seconds - sec) * 1e9);",
        to: "  const nsec = Math.trunc((seconds - sec) * 1e6) * 1000;",
      },
    ],
    caughtBy: [tests("conformance/times")],
  },
  {
    name: "the dates of Stats are not enumerable",
    edits: [
      {
        file: `${NODE_FS}/stats.ts`,
        from: "    enumerable: true,\n    configurable: true,\n    get()",
        to: "    enumerable: false,\n    configurable: true,\n    get()",
      },
    ],
    caughtBy: [tests("node-fs/classes")],
  },
  {
    name: "stat with throwIfNoEntry throws for a file in the middle of a path",
    edits: [
      {
        file: `${NODE_FS}/ops-path.ts`,
        from: "result === -ERRNO.ENOENT || (result === -ERRNO.ENOTDIR && flags === 0);",
        to: "result === -ERRNO.ENOENT;",
      },
    ],
    caughtBy: [tests("conformance/lookup"), tests("node-fs/stats")],
  },
];

/** Calls that remove or replace what is there. */
const REMOVALS: Mutant[] = [
  {
    name: "rm empties a directory that it may not remove",
    edits: [
      {
        file: `${NODE_FS}/ops-rm.ts`,
        from: "    if (gone !== -ERRNO.ENOTEMPTY) yield* this.#failRmdir(gone, name);\n",
        to: "",
      },
    ],
    caughtBy: [tests("node-fs/removal")],
  },
  {
    name: "rm empties the directory in which a path ends in two dots",
    edits: [
      {
        file: `${NODE_FS}/ops-rm.ts`,
        from: '      if (endsInDotDot(path)) this.#fail(-ERRNO.ENOTEMPTY, "rmdir", path);\n',
        to: "",
      },
    ],
    caughtBy: [tests("node-fs/removal", "ends in a dot")],
  },
  {
    name: "rm follows a link that has taken the place of a directory",
    edits: [
      {
        file: `${NODE_FS}/ops-rm.ts`,
        from: "const OPEN_BELOW = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;",
        to: "const OPEN_BELOW = O_RDONLY | O_DIRECTORY;",
      },
      {
        file: `${NODE_FS}/ops-rm.ts`,
        from: "    if (gone === -ERRNO.ENOTDIR && this.#levels.length > 0) {",
        to: "    if (gone === -ERRNO.ENOTDIR) gone = -ERRNO.ENOTEMPTY;\n    if (gone === -ERRNO.ENOTDIR && this.#levels.length > 0) {",
      },
      {
        file: `${NODE_FS}/ops-rm.ts`,
        from: "    const gone = yield* this.#unlink(above, name, AT_REMOVEDIR, RETRIED_FULL);",
        to: "    let gone = yield* this.#unlink(above, name, AT_REMOVEDIR, RETRIED_FULL);",
      },
    ],
    caughtBy: [tests("node-fs/directories", "rm|remov"), tests("node-fs/removal"), tests("conformance/directories")],
  },
  {
    name: "cp removes its destination before it knows that the source can be read",
    edits: [
      {
        file: `${NODE_FS}/copy/copy.ts`,
        from: "    yield* this.#step(() => this.#checkReadable(src, dest));\n    yield* this.#step(() => this.#remove(dest));\n    const failed",
        to: "    yield* this.#step(() => this.#remove(dest));\n    const failed",
      },
    ],
    caughtBy: [tests("node-fs/copies-kept")],
  },
  {
    name: "copyFile of a directory empties its destination",
    edits: [
      {
        file: `${NODE_FS}/copy/contents.ts`,
        from: "    if (mode & COPYFILE_FICLONE_FORCE || type === S_IFDIR) {",
        to: "    if (mode & COPYFILE_FICLONE_FORCE) {",
      },
    ],
    caughtBy: [tests("node-fs/copies-kept")],
  },
  {
    name: "cp never ends in a tree that contains itself",
    edits: [
      {
        file: `${NODE_FS}/copy/copy.ts`,
        from: "    if (loops) refuseInto(src, dest);",
        to: "    if (loops && this.#levels.length > 100) refuseInto(src, dest);",
      },
    ],
    caughtBy: [tests("node-fs/copies-kept", "contains itself")],
  },
  {
    name: "a long write is one write for each part",
    edits: [
      {
        file: `${NODE_FS}/system-calls.ts`,
        from: "    if (from.length > IO_SIZE) return this.writev(fd, [from], position);\n",
        to: "    if (from.length > IO_SIZE) {\n      const first = this.write(fd, from.subarray(0, IO_SIZE), position);\n      return first + this.write(fd, from.subarray(first), position < 0 ? position : position + first);\n    }\n",
      },
    ],
    caughtBy: [tests("unit/vfs/write")],
  },
];

/** What the surface has. */
const SURFACE: Mutant[] = [
  {
    name: "the calls have no names",
    edits: [
      {
        file: `${NODE_FS}/surface/names.ts`,
        from: '    if (typeof call === "function" && !/^[A-Z_]/.test(name)) rename(',
        to: '    if (typeof call === "function" && name.endsWith("Async")) rename(',
      },
    ],
    caughtBy: [tests("node-fs/surface")],
  },
];

export const NODE_FS_CALLS: Mutant[] = [...ARGUMENTS, ...LISTINGS, ...REMOVALS, ...SURFACE];
