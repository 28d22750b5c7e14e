/** The ways in which a run of a machine may end early. */
import type { Outcome } from "./machine.js";

/** The messages of the core's panics by their codes. */
const PANICS = ["", "", "corrupt", "unlock of a lock not held"];

/** The core's own panic. */
export class Panic extends Error {
  readonly code: number;
  readonly address: number;

  constructor(code: number, address: number) {
    super(`the core panics: ${PANICS[code] ?? code} at ${address}`);
    this.code = code;
    this.address = address;
  }
}

/** The result of a call that its thread has left: the host throws ERR_THREADFS_TIMEOUT. No call of the core returns it. */
export const TIMED_OUT = -1_000_000;

/** A call that leaves the core, because another thread has kept it waiting for too long. */
export class TimedOut extends Error {
  readonly word: number;

  constructor(word: number) {
    super(`the core waits too long for the owner of the word at ${word}`);
    this.word = word;
  }
}

/** A failure that the machine itself detects. */
export class MachineFailure extends Error {
  readonly status: Outcome["status"];

  constructor(status: Outcome["status"], message: string) {
    super(message);
    this.status = status;
  }
}
