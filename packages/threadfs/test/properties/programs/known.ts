/** Where docs/differences.md does not follow Node 26: outcomes of single calls that may differ. */
import type { PathOperand } from "./operands.js";
import type { ProgramStep } from "./program.js";
import type { Outcome } from "./shown.js";

type Fields = { readonly [field: string]: unknown };

const errorOf = (outcome: Outcome): Fields => (outcome.error ?? {}) as Fields;

/** The asynchronous forms fail with the name that was tried last. */
function isRandomName({ form }: ProgramStep, kernel: Fields, ours: Fields): boolean {
  return form !== "sync" && kernel.syscall === "mkdtemp" && ours.syscall === "mkdtemp" && kernel.code === ours.code;
}

/** By the name of the call. */
const KNOWN: { readonly [name in ProgramStep["name"]]?: (step: ProgramStep, kernel: Fields, ours: Fields) => boolean } =
  {
    /** The error of some errnos has no code. */
    rm: ({ form }, kernel) => form === "sync" && kernel.code === "",
    /** With a callback, a descriptor that cannot be read: no error, or one about an argument that the program has not given. */
    readOpen: ({ form }, kernel, ours) =>
      form !== "sync" &&
      (kernel.code === undefined ||
        kernel.message === 'The "list" argument must be an instance of Array. Received null') &&
      ["EBADF", "EISDIR"].includes(String(ours.code)),
    mkdtemp: isRandomName,
    /** The C library asks for the path of the working directory, and walks that. */
    realpathNative: ({ operands }, kernel) =>
      kernel.code === "EACCES" && (operands as { path: PathOperand }).path.as === "relative",
    mkdtempDisposable: isRandomName,
  };

/** Whether the outcomes of a call on the kernel and on threadfs may differ. */
export function isKnown(step: ProgramStep, kernel: Outcome, ours: Outcome): boolean {
  // Some calls of Node ask for the working directory, which has been removed, also where they do not need it.
  if (errorOf(kernel).syscall === "uv_cwd") return true;
  return KNOWN[step.name]?.(step, errorOf(kernel), errorOf(ours)) ?? false;
}
