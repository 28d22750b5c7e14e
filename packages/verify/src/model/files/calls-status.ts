/** The system calls of the model for the state of an open file: generators of steps, as in calls.ts. */
import { O_APPEND, O_CREAT, O_EXCL, O_NONBLOCK, O_PATH, O_TRUNC } from "../../../../threadfs/dist/abi/abi.js";
import type { CallArguments as A } from "../call.js";
import { callerOf } from "../calls.js";
import { patch } from "../state.js";
import { type Me, type Steps, step } from "../steps.js";

/** The flags that F_SETFL sets. */
const SETFL_MASK = O_APPEND | O_NONBLOCK;
const ONLY_OPEN = O_CREAT | O_EXCL | O_TRUNC;

/** Status flags. A write that is under way has looked at them, or has not. */
function* sysFileFlags(me: Me, { fd, flags }: A["sysFileFlags"]): Steps<number | string> {
  return yield* step((s) => {
    const id = callerOf(s, me).fds[fd] ?? 0;
    const file = s.files.get(id);
    if (file === undefined || file.opening !== undefined) return "EBADF";
    if (flags < 0) return file.flags & ~ONLY_OPEN;
    if (file.flags & O_PATH) return "EBADF";
    const changed = (file.flags & ~SETFL_MASK) | (flags & SETFL_MASK);
    patch(s.files, id, { flags: changed });
    return changed & ~ONLY_OPEN;
  });
}

export const STATUS_CALLS = { sysFileFlags };
