/** Calls about the program itself: arguments, environment, its end, random bytes. */
import { MAX_THREADS } from "../../../abi/memory.js";
import type { Descriptors } from "../descriptors.js";
import { ERRNO, IGNORED_SIGNALS, SIGNAL_MAX, STOP_SIGNALS } from "../preview1.js";
import type { Program } from "../program.js";
import { WORD, wide, workerAt } from "../table.js";

/** The most bytes that one call of the host makes. */
const RANDOM_MAX = 65_536;
/** What a shell adds to the number of the signal that has ended a program. */
const SIGNALED = 128;

/** Notes that the program has ended, unless another thread has done so, and wakes those that wait for that. */
export function endProgram({ words, pairs }: Descriptors, code: number): void {
  // The code with it: a thread that ends in between would leave a program that no other thread can end.
  if (Atomics.compareExchange(pairs, WORD.EXIT / 2, 0n, wide(1, code)) !== 0n) return;
  Atomics.notify(words, WORD.EXIT);
  for (let slot = 0; slot < MAX_THREADS; slot++) Atomics.notify(words, workerAt(slot));
}

/** The two calls for a list of strings. */
function makeList(program: Program, strings: readonly Uint8Array[]) {
  const { memory } = program;
  const size = strings.reduce((sum, { length }) => sum + length + 1, 0);
  return {
    sizes(countAt: number, sizeAt: number): number {
      program.enter();
      const [count, bytes] = [countAt >>> 0, sizeAt >>> 0];
      if (!memory.has(count, 4) || !memory.has(bytes, 4)) return ERRNO.EFAULT;
      memory.setU32(count, strings.length);
      memory.setU32(bytes, size);
      return 0;
    },
    get(pointersAt: number, buffer: number): number {
      program.enter();
      const [pointers, start] = [pointersAt >>> 0, buffer >>> 0];
      if (!memory.has(pointers, strings.length * 4) || !memory.has(start, size)) return ERRNO.EFAULT;
      let to = start;
      for (const [n, bytes] of strings.entries()) {
        memory.setU32(pointers + n * 4, to);
        memory.bytes.set(bytes, to);
        memory.bytes[to + bytes.length] = 0;
        to += bytes.length + 1;
      }
      return 0;
    },
  };
}

export function makeProcessCalls(program: Program) {
  const { memory, descriptors } = program;
  const [args, environ] = [makeList(program, program.args), makeList(program, program.env)];
  const exit = (code: number): never => {
    endProgram(descriptors, code);
    return program.exit();
  };
  return {
    args_sizes_get: args.sizes,
    args_get: args.get,
    environ_sizes_get: environ.sizes,
    environ_get: environ.get,
    proc_exit: exit,
    /** raise(3), where nothing catches a signal: its default happens. */
    proc_raise(signal: number): number {
      program.enter();
      if (signal >>> 0 > SIGNAL_MAX) return ERRNO.EINVAL;
      if (signal === 0 || IGNORED_SIGNALS.has(signal)) return 0;
      return STOP_SIGNALS.has(signal) ? ERRNO.ENOTSUP : exit(SIGNALED + signal);
    },
    sched_yield(): number {
      program.enter();
      return 0;
    },
    random_get(buffer: number, length: number): number {
      program.enter();
      const [at, size] = [buffer >>> 0, length >>> 0];
      if (!memory.has(at, size)) return ERRNO.EFAULT;
      // Not into the program's memory: the host refuses shared memory.
      const bytes = new Uint8Array(Math.min(size, RANDOM_MAX));
      for (let done = 0; done < size; done += bytes.length) {
        const part = bytes.subarray(0, size - done);
        memory.bytes.set(crypto.getRandomValues(part), at + done);
      }
      return 0;
    },
  };
}
