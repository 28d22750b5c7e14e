/** What a run of a machine may end in, beside its end. */

/** The core's own panic. */
export class Panic extends Error {
  constructor(code, a) {
    super(
      `the core panics: ${["", "a lock nobody gives back", "corrupt", "unlock of a lock not held"][code] ?? code} at ${a}`,
    );
    this.code = code;
    this.address = a;
  }
}

/** What the machine itself objects to. */
export class MachineFailure extends Error {
  /** @param {import("./machine.js").Outcome["status"]} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}
