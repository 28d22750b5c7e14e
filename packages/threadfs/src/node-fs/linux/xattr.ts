/** The operations on extended attributes: setxattr(2), getxattr(2), listxattr(2), removexattr(2). */
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, XATTR_CREATE, XATTR_REPLACE } from "../../../abi/flags.js";
import { XATTR_SIZE_MAX } from "../../../abi/limits.js";
import { flagOption, type KeysOf, readOptions } from "../../bridge/options.js";
import { invalidArgType, invalidArgValue } from "../../errors/errors.js";
import { type Path, toFd, toPath } from "../args.js";
import { copyOf, isUint8Array } from "../arguments/views.js";
import { asBuffer, decodeText, encodeText } from "../bytes.js";
import { operation } from "../operation.js";
import type { SystemCalls } from "../system-calls.js";
import type { SetXattrOptions, XattrOptions } from "./types.js";

const OPTIONS: KeysOf<XattrOptions> = { nofollow: true };
const SET_OPTIONS: KeysOf<SetXattrOptions> = { ...OPTIONS, create: true, replace: true };

/** A file by its path or its descriptor, and how its last link is taken. */
interface Target {
  file: Path | number;
  nofollow: boolean;
}

const toFile = (file: unknown): Path | number => (typeof file === "number" ? toFd(file) : toPath(file, "file"));

function toTarget(file: unknown, options: unknown): Target {
  const checked = toFile(file);
  const { nofollow } = readOptions<XattrOptions>(options, OPTIONS);
  return { file: checked, nofollow: flagOption(nofollow, "options.nofollow") };
}

function toName(value: unknown): string {
  if (typeof value !== "string") throw invalidArgType("name", "of type string", value);
  if (value.includes("\0")) throw invalidArgValue("name", value, "must be a string without null bytes");
  return value;
}

/** A copy: another thread may write to the caller's bytes. */
function toValue(value: unknown): Uint8Array {
  if (typeof value === "string") return encodeText(value, "utf8");
  if (isUint8Array(value)) return copyOf(value);
  throw invalidArgType("value", "of type string or an instance of Buffer or Uint8Array", value);
}

/** The first arguments of a call of the core, and its last. */
function passed(calls: SystemCalls, { file, nofollow }: Target, name: string, syscall: string) {
  const isFd = typeof file === "number";
  // A name that is too long is an error of its own: so it is cut where the core sees that.
  const [length, nameLength] = calls.putPaths(isFd ? "" : file, name, syscall);
  const flags = (nofollow ? AT_SYMLINK_NOFOLLOW : 0) | (isFd ? AT_EMPTY_PATH : 0);
  return { dirfd: isFd ? file : calls.dirfd, length, nameLength, flags };
}

const pathOf = ({ file }: Target): Path | undefined => (typeof file === "number" ? undefined : file);

export const setxattr = operation(
  (file: unknown, name: unknown, value: unknown, options?: unknown) => {
    const checked = { file: toFile(file), name: toName(name), value: toValue(value) };
    const { nofollow, create, replace } = readOptions<SetXattrOptions>(options, SET_OPTIONS);
    const how =
      (flagOption(create, "options.create") ? XATTR_CREATE : 0) |
      (flagOption(replace, "options.replace") ? XATTR_REPLACE : 0);
    return { ...checked, how, nofollow: flagOption(nofollow, "options.nofollow") };
  },
  (calls, args): void => {
    const { name, value, how } = args;
    const { core, ctx, attachment } = calls;
    const { dirfd, length, nameLength, flags } = passed(calls, args, name, "setxattr");
    if (value.length <= XATTR_SIZE_MAX) attachment.io.set(value);
    const result = core.sysSetxattr(ctx, dirfd, length, nameLength, value.length, how, flags);
    calls.check(result, "setxattr", pathOf(args));
  },
);

export const getxattr = operation(
  (file: unknown, name: unknown, options?: unknown) => ({ ...toTarget(file, options), name: toName(name) }),
  (calls, args): Buffer => {
    const { dirfd, length, nameLength, flags } = passed(calls, args, args.name, "getxattr");
    const got = calls.core.sysGetxattr(calls.ctx, dirfd, length, nameLength, flags);
    calls.check(got, "getxattr", pathOf(args));
    return asBuffer(calls.attachment.io.slice(0, got)) as Buffer;
  },
);

export const listxattr = operation(
  (file: unknown, options?: unknown) => toTarget(file, options),
  (calls, args): string[] => {
    const { dirfd, length, flags } = passed(calls, args, "", "listxattr");
    const got = calls.check(calls.core.sysListxattr(calls.ctx, dirfd, length, flags), "listxattr", pathOf(args));
    if (got === 0) return [];
    return decodeText(calls.attachment.io.slice(0, got - 1), "utf8").split("\0");
  },
);

export const removexattr = operation(
  (file: unknown, name: unknown, options?: unknown) => ({ ...toTarget(file, options), name: toName(name) }),
  (calls, args): void => {
    const { dirfd, length, nameLength, flags } = passed(calls, args, args.name, "removexattr");
    const result = calls.core.sysRemovexattr(calls.ctx, dirfd, length, nameLength, flags);
    calls.check(result, "removexattr", pathOf(args));
  },
);
