/**
 * Goes through every interleaving of the model's steps of a few short programs: depth first, each situation once. A situation
 * is the model's state and where each program stands, which is told by the answers its steps were sent.
 */

import { resolveCall } from "./call-sequence.js";
import { BLOCKED, cloneState, patch, recoverFrom, stateKey, TABLES } from "./model.js";
import { callSteps, choicesOf, runCall } from "./sequential.js";
import { canonical, dumpCalls, readWith, withNames } from "./tree-dump.js";

/** Situations of one set of operations: far above what two or three short programs have. */
const SITUATIONS_MAX = 2_000_000;

/**
 * Where a thread's program stands: the calls that ended gave `answers`; `sent` are the answers to the present call's steps. Of a
 * thread that will die: `undo`, what the change it is in the middle of has written over; `gone`: it was cleared up after.
 */
const fresh = () => ({ answers: [], sent: [] });

const withoutNames = (answer) => JSON.stringify(withNames(answer, () => ""));

export class Search {
  /**
   * @param model { state, labels }, the first state, and how many `contexts` it has
   * @param programs one list of calls a thread
   * @param before before[thread][call][other]: how many calls of the other thread had ended when this call began
   * @param dead Map of a dead thread's number to how many of its calls had ended
   * @param strict nobody sees a dead thread's change that is then taken back: what it has begun to show, it ends
   * @param wanted an outcome of canonical(): only what may lead to it is gone through, and the search ends with it
   */
  constructor(model, programs, { before, dead, strict = false, wanted }) {
    const { state: first, labels, contexts } = model;
    Object.assign(this, { first, labels, contexts, programs, before, dead, strict });
    this.wanted = wanted && {
      text: JSON.stringify(wanted),
      answers: wanted.results.map((list) => list.map(withoutNames)),
    };
    this.seen = new Set();
    this.outcomes = new Map();
  }

  /** @returns Map of canonical text to outcome { results, final } */
  run() {
    const stack = [{ s: this.first, threads: this.programs.map(fresh) }];
    while (stack.length > 0) {
      const situation = stack.pop();
      const key = JSON.stringify(situation.threads) + stateKey(situation.s);
      if (this.seen.has(key)) continue;
      if (this.seen.size === SITUATIONS_MAX) throw new Error("too many interleavings to go through");
      this.seen.add(key);
      const next = this.programs.flatMap((_calls, thread) => this.#steps(situation, thread));
      const mayEnd = this.#mayEnd(situation);
      if (next.length === 0 && !mayEnd && !this.wanted) throw new Error("the model's operations wait for each other");
      if (mayEnd) this.#note(situation);
      if (this.outcomes.has(this.wanted?.text)) break;
      stack.push(...next);
    }
    return this.outcomes;
  }

  /** The situations behind the next step of one thread: none when it has ended or waits, several where a step may go either way. */
  #steps({ s, threads }, thread) {
    const { answers, sent, undo, gone } = threads[thread];
    const calls = this.programs[thread];
    if (gone) return [];
    if (answers.length >= Math.min(calls.length, this.#limit(thread))) return [];
    if (sent.length === 0 && !this.#mayBegin(threads, thread, answers.length)) return [];
    const after = cloneState(s);
    const { steps, value: step } = this.#replay(s, thread, answers, sent);
    const answer = step(after);
    const ways = answer === BLOCKED ? [] : choicesOf(answer);
    const next = ways.flatMap((choice, n) => {
      const call = n === 0 ? steps : this.#replay(s, thread, answers, sent).steps;
      const { value, done } = call.next(choice);
      if (done && !this.#mayAnswer(thread, answers.length, value)) return [];
      const here = done ? { answers: [...answers, value], sent: [] } : { answers, sent: [...sent, choice] };
      if (this.dead.has(thread)) here.undo = undoOf(s, after, thread, threads[thread].undo);
      return [{ s: after, threads: threads.with(thread, here) }];
    });
    const known = this.dead.get(thread) ?? Number.POSITIVE_INFINITY;
    const shown = undo !== undefined && undo.length > 0;
    const mayGo = answers.length >= known && !(this.strict && shown);
    return mayGo ? [...next, this.#clearedUp({ s, threads }, thread)] : next;
  }

  /**
   * What is left of a dead thread is cleared up: what it changed half is as it was, its locks and references are free. (It may
   * also have been completed: that is the thread taking its steps.)
   */
  #clearedUp({ s, threads }, thread) {
    const after = cloneState(s);
    for (const [table, id, record] of threads[thread].undo ?? []) {
      // What it made is taken away, and stays with who has found it.
      if (record === null) patch(after[table], id, table === "dentries" ? { hashed: false } : { nlink: 0, dead: true });
      else after[table].set(id, record);
    }
    recoverFrom(after, thread + 1);
    return { s: after, threads: threads.with(thread, { ...threads[thread], undo: undefined, gone: true }) };
  }

  /** Whether a call may have answered this; always, unless an outcome is looked for. */
  #mayAnswer(thread, call, answer) {
    const wanted = this.wanted?.answers[thread][call];
    return wanted === undefined || wanted === withoutNames(answer);
  }

  /** The present call's generator, brought to where it stands; `value` is its next step. */
  #replay(s, thread, answers, sent) {
    const call = resolveCall(this.programs[thread][answers.length], answers);
    const steps = callSteps(s, thread + 1, call);
    let { value } = steps.next();
    for (const answer of sent) ({ value } = steps.next(answer));
    return { steps, value };
  }

  #mayBegin(threads, thread, call) {
    const others = this.before[thread]?.[call] ?? [];
    return others.every((ended, n) => threads[n].answers.length >= ended);
  }

  /** How many calls a thread may have begun: a dead one no more than the one it died in. */
  #limit(thread) {
    return this.dead.has(thread) ? this.dead.get(thread) + 1 : Number.POSITIVE_INFINITY;
  }

  /** The living have ended; the dead have ended what they were known to have ended, and are not in the middle of a change. */
  #mayEnd({ s, threads }) {
    return threads.every(({ answers, sent }, n) => {
      if (!this.dead.has(n)) return sent.length === 0 && answers.length === this.programs[n].length;
      return answers.length >= this.dead.get(n) && !isLocked(s, n);
    });
  }

  #note({ s, threads }) {
    const results = threads.map(({ answers }, n) => (this.dead.has(n) ? answers.slice(0, this.dead.get(n)) : answers));
    const state = cloneState(s);
    const final = readWith((call) => runCall(state, call), dumpCalls(this.contexts));
    const outcome = canonical({ results, final }, this.labels);
    this.outcomes.set(JSON.stringify(outcome), outcome);
  }
}

const isLocked = (s, thread) => [...s.locks.values()].includes(thread + 1);

/** What a thread in the middle of a change has written over so far: [table, id, record or null] with the first value of each. */
function undoOf(before, after, thread, undo = []) {
  if (!isLocked(after, thread)) return undefined;
  const known = new Set(undo.map(([table, id]) => `${table} ${id}`));
  const added = [];
  for (const table of TABLES.filter((name) => name !== "locks" && name !== "held")) {
    for (const [id, record] of after[table]) {
      const old = before[table].get(id);
      if (old !== record && !known.has(`${table} ${id}`)) added.push([table, id, old ?? null]);
    }
  }
  return [...undo, ...added];
}
