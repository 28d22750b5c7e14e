/** Runs the machine of a pattern on a name. Takes at most its states times the characters of the name, for each `!(...)` once more. */
import type { Program } from "./program.js";

class Run {
  readonly #program: Program;
  readonly #name: readonly string[];
  /** Results of the machines of `!(...)`, by start and position. */
  readonly #known = new Map<number, boolean>();

  constructor(program: Program, name: string) {
    this.#program = program;
    this.#name = program.unicode ? Array.from(name) : name.split("");
  }

  /** Whether the machine that starts at a state accepts from a position. */
  accepts(start: number, position: number): boolean {
    const { states } = this.#program;
    /** The position at which a state was reached last. */
    const reached = new Int32Array(states.length).fill(-1);
    let current = [start];
    for (let at = position; current.length > 0; at++) {
      const char = this.#name[at];
      const following: number[] = [];
      // States that are reached without a character are appended, and the loop comes to them.
      for (const number of current) {
        if (reached[number] === at) continue;
        reached[number] = at;
        const state = states[number];
        if (state === undefined || state.kind === "accept") return true;
        if (state.kind === "take") {
          if (char !== undefined && state.test(char)) following.push(state.next);
        } else {
          if (state.kind === "split") current.push(state.other);
          else if (!this.#holds(state, at)) continue;
          current.push(state.next);
        }
      }
      current = following;
    }
    return false;
  }

  #holds(state: { kind: "no dot" | "no dots" | "end" } | { kind: "unless"; other: number }, at: number): boolean {
    const name = this.#name;
    switch (state.kind) {
      case "no dot":
        return name[at] !== ".";
      case "no dots":
        return at > 0 || name[0] !== "." || (name.length > 1 && (name.length > 2 || name[1] !== "."));
      case "end":
        return at === name.length;
      case "unless":
        return !this.#acceptsOnce(state.other, at);
    }
  }

  #acceptsOnce(start: number, at: number): boolean {
    const key = start * (this.#name.length + 1) + at;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const accepted = this.accepts(start, at);
    this.#known.set(key, accepted);
    return accepted;
  }
}

/** Whether a name matches the pattern of a name. */
export function matchesName(program: Program, name: string): boolean {
  return new Run(program, name).accepts(program.start, 0);
}
