/**
 * Goes through every interleaving of the model's steps of a few short programs: depth first, each configuration once. A configuration
 * is the state of the model, and how far each program has come: the results that its steps were sent say that.
 */

import { defined } from "../support/defined.js";
import { LEFT, type ProgramCall, type Result } from "./call.js";
import { resolveCall } from "./call-sequence.js";
import { callSteps, choicesOf, operationOf, runCall } from "./sequential.js";
import { cloneState, patch, RECORD_TABLES, type State, stateKey } from "./state.js";
import { BLOCKED, endThread, heldBy, inParts, type Me, recoverFrom, type Step, type Steps } from "./steps.js";
import {
  dumpCalls,
  type NameOf,
  namesOf,
  readWith,
  type TreeDump,
  type TreeOutcome,
  textOf,
  withNames,
} from "./tree-dump.js";

/** Configurations of one set of operations: far above the number that two or three short programs have. */
const CONFIGURATIONS_MAX = 2_000_000;

/** The final trees that are kept of one model. */
const FINALS_MAX = 2000;

type RecordTable = (typeof RECORD_TABLES)[number];
/** The first value of a record that a change has overwritten; null: the record is new. */
type Undo = [table: RecordTable, id: number, record: object | null];

/** How far the program of a thread has come. */
interface Progress {
  /** The results of the calls that ended. */
  results: Result[];
  /** The results of the steps of the present call. */
  sent: unknown[];
  /** Of a thread that will die: the records that the change it is in has overwritten. */
  undo?: Undo[] | undefined;
  /** The thread is dead and was recovered. */
  gone?: boolean;
}

/** A state of the model, and how far each thread has come. */
interface Configuration {
  s: State;
  threads: Progress[];
}

const fresh = (): Progress => ({ results: [], sent: [] });

/** The context that a call closes; undefined: none. */
function closedBy(call: ProgramCall): number | undefined {
  if (call.call === "contextDestroy") return call.ctx ?? 0;
  return call.call === "contextClose" && typeof call.other === "number" ? call.other : undefined;
}

const withoutNames = (result: unknown): string => JSON.stringify(withNames(result, () => ""));

/** The model of a tree: its first state, the names of its inodes, and the number of its contexts. */
export interface TreeModel {
  state: State;
  labels: Map<number, string>;
  contexts: number;
}

/**
 * A call that its thread has left after waiting for too long: before it had happened, so that its result is LEFT, or after that, with
 * its result. undefined: a call that the thread has not left.
 */
export type LeftCall = "before" | "after" | undefined;

/** A tree in the end, with names; its text; and the names. */
interface Final {
  final: TreeDump;
  text: string;
  name: NameOf;
}

/** The trees that models have been read to, by the key of the state: reading takes far longer than a step, and many orders lead to one state. */
const finals = new WeakMap<State, Map<string, Final>>();

export interface SearchOptions {
  /** before[thread][call][other]: how many calls of the other thread had ended when this call began. */
  before: number[][][];
  /** A dead thread -> how many of its calls had ended. */
  dead: Map<number, number>;
  /** left[thread][call] */
  left?: LeftCall[][];
  /** No operation sees a dead thread's change that is then rolled back: a change that is visible is completed. */
  strict?: boolean;
  /** An outcome of canonical(): only configurations that may lead to it are visited, and the search ends with it. */
  wanted?: TreeOutcome;
}

export class Search {
  readonly #first: State;
  readonly #labels: Map<number, string>;
  readonly #contexts: number;
  readonly #programs: ProgramCall[][];
  readonly #before: number[][][];
  readonly #dead: Map<number, number>;
  readonly #left: LeftCall[][];
  readonly #strict: boolean;
  readonly #wanted: { text: string; results: string[][] } | undefined;
  readonly #seen = new Set<string>();
  readonly #outcomes = new Map<string, TreeOutcome>();
  readonly #finals: Map<string, Final>;

  /** @param programs the calls of each thread */
  constructor(
    { state, labels, contexts }: TreeModel,
    programs: ProgramCall[][],
    { before, dead, left = [], strict = false, wanted }: SearchOptions,
  ) {
    this.#first = { ...state, closable: programs.flat().flatMap((call) => closedBy(call) ?? []) };
    this.#finals = finals.get(state) ?? new Map<string, Final>();
    finals.set(state, this.#finals);
    this.#labels = labels;
    this.#contexts = contexts;
    this.#programs = programs;
    this.#before = before;
    this.#dead = dead;
    this.#left = left;
    this.#strict = strict;
    this.#wanted = wanted && {
      text: JSON.stringify(wanted),
      results: wanted.results.map((list) => list.map(withoutNames)),
    };
  }

  /** @returns outcomes by their canonical texts */
  run(): Map<string, TreeOutcome> {
    const stack: Configuration[] = [{ s: this.#first, threads: this.#programs.map(fresh) }];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const key = JSON.stringify(at.threads) + stateKey(at.s);
      if (this.#seen.has(key)) continue;
      if (this.#seen.size === CONFIGURATIONS_MAX) throw new Error("too many interleavings to go through");
      this.#seen.add(key);
      const here = at;
      const next = this.#programs.flatMap((_calls, thread) => this.#steps(here, thread));
      const mayEnd = this.#mayEnd(at);
      // A file stays locked from one call to a later one: the order of the calls may rule out what has happened so far, and a dead
      // thread, whose descriptors stay open, does not unlock it.
      const staysLocked = this.#isHeldBack(at) || this.#dead.size > 0;
      const mayStop = this.#wanted !== undefined || this.#left.flat().includes("before") || staysLocked;
      if (next.length === 0 && !mayEnd && !mayStop) throw new Error("the model's operations wait for each other");
      if (mayEnd) this.#note(at);
      if (this.#wanted !== undefined && this.#outcomes.has(this.#wanted.text)) break;
      stack.push(...next);
    }
    return this.#outcomes;
  }

  /** The configurations after the next step of one thread: none when it has ended or waits, several after a choice. */
  #steps({ s, threads }: Configuration, thread: number): Configuration[] {
    const { results, sent, undo, gone } = progressOf(threads, thread);
    const calls = this.#programs[thread] ?? [];
    if (gone) return [];
    if (results.length >= Math.min(calls.length, this.#limit(thread))) return [];
    if (sent.length === 0 && !this.#mayBegin(threads, thread, results.length)) return [];
    const after = cloneState(s);
    const left = this.#left[thread]?.[results.length];
    const { steps, step, me } = this.#replay(s, thread, results, sent);
    const returned = step(after);
    const choices = returned === BLOCKED ? [] : choicesOf(returned);
    const next = choices.flatMap((choice, n) => {
      const call = n === 0 ? steps : this.#replay(s, thread, results, sent).steps;
      const reached = call.next(choice);
      const result = reached.done && (left === "before" ? LEFT : reached.value);
      if (reached.done && !this.#mayReturn(thread, results.length, result as Result)) return [];
      const here: Progress = reached.done
        ? { results: [...results, result as Result], sent: [] }
        : { results, sent: [...sent, choice] };
      if (left === "before" || this.#dead.has(thread)) here.undo = undoOf(s, after, thread, undo);
      if (left === "before" && hasHappened(s, { after, me, undo, call: calls[results.length] })) return [];
      const reachedHere = { s: after, threads: threads.with(thread, here) };
      return left === "after" ? withReferences(s, reachedHere, thread) : [reachedHere];
    });
    const shown = undo !== undefined && undo.length > 0;
    if (left === "before") return shown ? next : [...next, ...this.#leaves({ s, threads }, thread)];
    const known = this.#dead.get(thread) ?? Number.POSITIVE_INFINITY;
    const mayRecover = results.length >= known && !(this.#strict && shown);
    return mayRecover ? [...next, this.#recovered({ s, threads }, thread)] : next;
  }

  /**
   * The thread leaves its call outside of a change, and before the change of the call is complete. What it referenced stays counted
   * until a recount.
   */
  #leaves({ s, threads }: Configuration, thread: number): Configuration[] {
    const left = threads.with(thread, { results: [...progressOf(threads, thread).results, LEFT], sent: [] });
    const after = cloneState(s);
    recoverFrom(after, thread + 1);
    return withReferences(s, { s: after, threads: left }, thread);
  }

  /**
   * A dead thread is recovered: the change it was in is rolled back, its locks and references are released. (Where the recovery
   * completes the change, the thread takes its steps.)
   */
  #recovered({ s, threads }: Configuration, thread: number): Configuration {
    const after = cloneState(s);
    const progress = progressOf(threads, thread);
    for (const [table, id, record] of progress.undo ?? []) {
      const records: Map<number, object> = after[table];
      // An object that it made becomes unreachable; operations that have found it keep it.
      if (record !== null) records.set(id, record);
      else patch(records, id, table === "dentries" ? { hashed: false } : { nlink: 0, dead: true });
    }
    recoverFrom(after, thread + 1);
    endThread(after, thread + 1);
    return { s: after, threads: threads.with(thread, { ...progress, undo: undefined, gone: true }) };
  }

  /** Whether a call may have returned this; always, unless an outcome is wanted. */
  #mayReturn(thread: number, call: number, result: Result): boolean {
    const wanted = this.#wanted?.results[thread]?.[call];
    return wanted === undefined || wanted === withoutNames(result);
  }

  /** The generator of the present call, brought to its next step. */
  #replay(s: State, thread: number, results: Result[], sent: unknown[]): { steps: Steps<Result>; step: Step; me: Me } {
    const call = this.#programs[thread]?.[results.length];
    if (call === undefined) throw new Error(`thread ${thread} has no call ${results.length}`);
    const me = operationOf(s, thread + 1, call.ctx);
    const steps = callSteps(s, thread + 1, resolveCall(call, results), me);
    let next = steps.next();
    for (const result of sent) next = steps.next(result);
    if (next.done) throw new Error(`${call.call} ends before the step that it was at`);
    return { steps, step: next.value, me };
  }

  /** Whether a thread may not begin its next call before another has ended one. */
  #isHeldBack({ threads }: Configuration): boolean {
    return threads.some(({ results, sent }, n) => sent.length === 0 && !this.#mayBegin(threads, n, results.length));
  }

  #mayBegin(threads: Progress[], thread: number, call: number): boolean {
    const others = this.#before[thread]?.[call] ?? [];
    return others.every((ended, n) => progressOf(threads, n).results.length >= ended);
  }

  /** How many calls a thread may have begun: a dead one no more than the one it died in. */
  #limit(thread: number): number {
    return (this.#dead.get(thread) ?? Number.POSITIVE_INFINITY) + 1;
  }

  /** The living threads have ended; the dead ones have ended the calls that are known to have ended, and are in no change. */
  #mayEnd({ s, threads }: Configuration): boolean {
    return threads.every(({ results, sent }, n) => {
      const known = this.#dead.get(n);
      if (known === undefined) return sent.length === 0 && results.length === this.#programs[n]?.length;
      return results.length >= known && !isLocked(s, n);
    });
  }

  #note({ s, threads }: Configuration): void {
    const results = threads.map((progress, n) => progress.results.slice(0, this.#dead.get(n)));
    const state = cloneState(s);
    for (const thread of this.#dead.keys()) endThread(state, thread + 1);
    const { final, text, name } = this.#final(state);
    const named = withNames(results, name);
    this.#outcomes.set(textOf(JSON.stringify(named), text), { results: named, final });
  }

  /** The tree of a state, which it changes. */
  #final(state: State): Final {
    // A call of a context that another one closes has steps of its own.
    const key = `${state.closable} ${stateKey(state)}`;
    let found = this.#finals.get(key);
    if (found === undefined) {
      const read = readWith((call) => runCall(state, call), dumpCalls(this.#contexts));
      const name = namesOf(read, this.#labels);
      const final = withNames(read, name);
      found = { final, text: JSON.stringify(final), name };
      if (this.#finals.size === FINALS_MAX) this.#finals.clear();
      this.#finals.set(key, found);
    }
    return found;
  }
}

function progressOf(threads: Progress[], thread: number): Progress {
  return defined(threads[thread], `thread ${thread}`);
}

const isLocked = (s: State, thread: number): boolean => [...s.locks.values()].includes(thread + 1);

/** Mutexes under which an operation makes several changes, each of them committed by itself: a death keeps those that were made. */
const COMMITTED_UNDER = new Set(["namespace"]);

/** Whether a thread is in the middle of a change, which its death takes back. */
const isChanging = (s: State, thread: number): boolean =>
  !s.locks.has(inParts(thread + 1)) &&
  [...s.locks].some(([name, owner]) => owner === thread + 1 && !COMMITTED_UNDER.has(name));

/** The records that a thread in a change has overwritten so far, each with its first value; undefined: it is in no change. */
function undoOf(before: State, after: State, thread: number, undo: Undo[] = []): Undo[] | undefined {
  if (!isChanging(after, thread)) return undefined;
  const known = new Set(undo.map(([table, id]) => `${table} ${id}`));
  return [...undo, ...changedRecords(before, after).filter(([table, id]) => !known.has(`${table} ${id}`))];
}

/** The records that differ, with their values before. */
function changedRecords(before: State, after: State): Undo[] {
  return RECORD_TABLES.flatMap((table) => {
    const former: Map<number, object> = before[table];
    return [...after[table]].flatMap(([id, record]): Undo[] => {
      const old = former.get(id);
      return old === record ? [] : [[table, id, old ?? null]];
    });
  });
}

/** Calls whose change is one step without phases. */
const SIMPLE_CHANGES = new Set([
  "sysClose",
  "sysCloseTagged",
  "sysLseek",
  "sysRead",
  "sysReadFile",
  "sysScandir",
  "sysGetdents",
  "sysUmask",
  "contextDestroy",
  "sysFlock",
  "setLock",
]);

/** Calls that may have created or emptied a file before they are left. */
const OPENING = new Set(["sysOpen", "sysWriteFile"]);

/** Whether the last step has completed the change of a call, which is not one of {@link OPENING}. */
function hasHappened(
  before: State,
  { after, me, undo, call }: { after: State; me: Me; undo: Undo[] | undefined; call: ProgramCall | undefined },
): boolean {
  const name = call?.call ?? "";
  if (OPENING.has(name) || isChanging(after, me.id - 1)) return false;
  if (me.changes !== true && !SIMPLE_CHANGES.has(name)) return false;
  return (undo ?? []).length > 0 || changedRecords(before, after).length > 0;
}

/** What a thread released by its last step, in a call that it leaves, may stay counted until a recount: for the rest of the run. */
function withReferences(before: State, reached: Configuration, thread: number): Configuration[] {
  const kept = heldBy(before, thread + 1).filter(([slot]) => !reached.s.held.has(slot));
  if (kept.length === 0) return [reached];
  const counted = cloneState(reached.s);
  for (const [slot, mount] of kept) counted.held.set(`left ${slot}`, mount);
  return [reached, { s: counted, threads: reached.threads }];
}
