/** What a random program is: its actors, which are users of one tree, and the calls that they make one after another. */
import fc from "fast-check";
import type { Credentials } from "../../conformance/support/case.js";
import { FLOOR } from "../commands.js";
import { CALLS, type CallName } from "./calls.js";

/** How a call is made: the synchronous call, the one with a callback, the one that returns a promise. */
export type Form = "sync" | "callback" | "promise";

/** A user of the tree. On the kernel it is a process, on threadfs a context. */
export interface ActorSpec extends Credentials {
  /** Its root directory is that of the run: on the kernel its absolute paths begin there. */
  readonly rooted: boolean;
}

/** The actors of all programs. */
export const ACTORS: readonly ActorSpec[] = [
  { uid: 0, gid: 0, groups: [], rooted: false },
  { uid: 0, gid: 0, groups: [], rooted: true },
  { uid: 1000, gid: 1000, groups: [], rooted: false },
  { uid: 1001, gid: 1000, groups: [2000], rooted: true },
];

/** One call. */
export interface ProgramStep {
  /** Index in {@link ACTORS}. */
  readonly actor: number;
  readonly form: Form;
  readonly name: CallName;
  readonly operands: unknown;
}

export interface Program {
  /** Whether the actors that have a root directory of their own take it: otherwise copies of links may have absolute texts. */
  readonly rooted: boolean;
  /** Working directory of each actor, from the floor on. */
  readonly cwds: readonly string[];
  readonly umasks: readonly number[];
  readonly steps: readonly ProgramStep[];
}

const form = fc.constantFrom<Form>("sync", "callback", "promise");

const step: fc.Arbitrary<ProgramStep> = fc.oneof(
  ...(Object.keys(CALLS) as CallName[]).map((name) => ({
    weight: CALLS[name].weight,
    arbitrary: fc.record({
      actor: CALLS[name].rootOnly ? fc.constantFrom(0, 1) : fc.constantFrom(0, 0, 1, 2, 3),
      form,
      name: fc.constant(name),
      operands: CALLS[name].operands,
    }),
  })),
);

const each = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.array(arbitrary, { minLength: ACTORS.length, maxLength: ACTORS.length });

/** Programs of at most `length` calls. */
export function programs(length: number): fc.Arbitrary<Program> {
  return fc.record({
    rooted: fc.boolean(),
    cwds: each(fc.constantFrom("", "", "a", "a/b", "b")),
    umasks: each(fc.constantFrom(0o022, 0o022, 0, 0o077, 0o027)),
    steps: fc.array(step, { minLength: 1, maxLength: length, size: "max" }),
  });
}

/** The path of the directory in which the programs' paths begin, from that of the run on. */
export const FLOOR_PATH = `/${FLOOR}`;
