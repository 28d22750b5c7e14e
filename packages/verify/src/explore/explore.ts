/**
 * All schedules of a few operations up to a number of preemptions.
 *
 * explore() walks the tree of decisions depth first. There is a decision before each access to a conflicting word, and whenever a
 * thread blocks, spins, sleeps or ends. A run is repeated from the start up to the decision that is changed.
 *
 * Preemptions. To suspend a thread that could run on costs one. To switch because a thread ended, is blocked or spins on a word costs
 * none. Nor does it to let a thread spin on although another one could run: a thread that was suspended in the middle of a change may
 * stay away for as long as the others spin. To end the sleep of a thread early costs one. All schedules that cost at most `bound` are
 * covered, whichever thread runs first, and whichever runs on when one blocks. Where no thread can run there is no choice: the first
 * one whose time is over runs on.
 *
 * Why only conflicting words are scheduling points. Let C be the words that in some explored run two threads access, one of them
 * writing. Exploration is repeated until no run adds to C. Claim: each schedule within the bound has the same partial order of
 * conflicting accesses as one whose switches all stand before accesses to C. Take a schedule and its first switch that does not, away
 * from thread A; let a1 ... an be what A would do up to its next access to C, or to its end. Move them before the switch. That changes
 * nothing unless another thread accesses one of their words, with a write on either side, before A runs on. Take the first that does,
 * B. Up to there B has read what it reads in the schedule where a1 ... an came first, so there B makes that access too. That
 * schedule's prefix costs no more and has its first such switch later, so by induction a run with the same order was explored; in it
 * both threads accessed the word, and it is in C: a contradiction. So the switch moves to before the access to C, at the same cost,
 * and the argument continues with the next switch.
 *
 * Why states are visited once. The machine's signature of a prefix is that of its partial order of conflicting accesses: two prefixes
 * with the same one have led to the same memory and the same threads, and the same calls had ended before others began. If one was
 * explored with the same thread running and at least as many preemptions left, everything that can follow was explored. (53 bits are
 * compared: with 10^6 states the odds that any two of them collide are 1 in 10^4.)
 *
 * Calls one after the other. A call that accesses no conflicting word has no scheduling point and, above, no place: it could be
 * anywhere. But its result must agree with the calls that had ended before it began, so at first the calls are run one by one, in each
 * order that their threads allow. Where a call has scheduling points, the signature has the calls that had ended when it began.
 *
 * Loops that wait. A thread that reads a word again, with nothing in between, may give way at no cost until the word is written, or
 * read on to the end of its bounded loop. Left out: reading on for a while, giving way, and reading on again. A driver's call is one
 * step with the access before it.
 */
import { ABANDON, AT_ACCESS, AT_NO_THREAD, AT_SPIN } from "../machine/constants.js";
import type { LogicalThread } from "../machine/logical-thread.js";
import type { Controller, Machine, Operation } from "../machine/machine.js";
import { Choices } from "./choices.js";
import { type Explored, type Judge, NO_DEADLINE, nothingExplored, runCallByCall, verdict } from "./run.js";
import { formatSchedule } from "./schedule.js";

const UNLIMITED = 1e9;
/** States that are remembered; some 50 bytes each. */
const VISITED_MAX = 4_000_000;

/** A decision of the present run: the choices with their costs, the one taken, and the preemptions before it. */
interface Decision {
  ids: Int32Array;
  costs: Int32Array;
  at: number;
  spent: number;
}

/** Where an exploration looks: it leaves out what shows nothing of its subject. */
export interface Focus {
  /** A new run begins. */
  begin(): void;
  /** Whether a thread is suspended here although it could run on. */
  maySuspend(machine: Machine, t: LogicalThread): boolean;
  /** Whether a thread that reads a word again reads on, to the end of its bounded loop, without a choice. */
  readsOn(t: LogicalThread): boolean;
  /** Whether nothing more can happen in this run that it is about: it is not judged. Asked when a thread has ended. */
  isOver(machine: Machine): boolean;
}

/** Depth first through all decisions. */
class Search implements Controller {
  readonly bound: number;
  readonly reduce: boolean;
  readonly focus: Focus | undefined;
  /** The present run has reached a state that was explored. */
  known = false;
  readonly stack: Decision[] = [];
  /** State -> the largest number of preemptions that were left there. */
  readonly visited = new Map<number, number>();
  readonly choices = new Choices();
  depth = 0;
  spent = 0;

  constructor(bound: number, reduce: boolean, focus?: Focus) {
    this.bound = bound;
    this.reduce = reduce;
    this.focus = focus;
  }

  begin(): void {
    this.focus?.begin();
    this.depth = 0;
    this.spent = 0;
    this.known = false;
  }

  choose(machine: Machine, t: LogicalThread | null, reason: number): number {
    const { focus } = this;
    if (reason === AT_NO_THREAD && t !== null && focus?.isOver(machine)) {
      this.known = true;
      return ABANDON;
    }
    if (reason === AT_SPIN && t !== null && focus?.readsOn(t)) return t.id;
    const left = this.bound - this.spent;
    if (left === 0 && reason === AT_ACCESS && t !== null) {
      if (!this.reduce || this.depth < this.stack.length || !this.#seen(machine, t, 0)) return t.id;
      this.known = true;
      return ABANDON;
    }
    const c = this.choices;
    const stays = focus !== undefined && reason === AT_ACCESS && t !== null && !focus.maySuspend(machine, t);
    c.fill(machine, t, reason, stays ? 0 : left);
    if (c.count === 0) return ABANDON;
    if (this.depth < this.stack.length) {
      if (c.count === 1) return c.ids[0] as number;
      const decision = this.stack[this.depth++] as Decision;
      this.spent = decision.spent + (decision.costs[decision.at] as number);
      return decision.ids[decision.at] as number;
    }
    if (this.reduce && (c.count > 1 || reason !== AT_ACCESS) && this.#seen(machine, t, left)) {
      this.known = true;
      return ABANDON;
    }
    if (c.count === 1) {
      this.spent += c.costs[0] as number;
      return c.ids[0] as number;
    }
    this.stack.push({ ids: c.ids.slice(0, c.count), costs: c.costs.slice(0, c.count), at: 0, spent: this.spent });
    this.depth++;
    this.spent += c.costs[0] as number;
    return c.ids[0] as number;
  }

  #seen(machine: Machine, t: LogicalThread | null, left: number): boolean {
    const key = stateKey(machine, t);
    const most = this.visited.get(key);
    if (most !== undefined && most >= left) return true;
    // A full map keeps its states; a state that is not in it is explored again.
    if (this.visited.size < VISITED_MAX || most !== undefined) this.visited.set(key, left);
    return false;
  }

  /** Changes the last decision that can be changed. False: every schedule was run. */
  advance(): boolean {
    for (let last = this.stack.at(-1); last !== undefined; last = this.stack.at(-1)) {
      if (++last.at < last.ids.length) return true;
      this.stack.pop();
    }
    return false;
  }

  /** With other scheduling points the decisions are others. */
  forget(): void {
    this.stack.length = 0;
    this.visited.clear();
  }
}

/** The state at a decision: the signature, the running thread, the states of all threads, and the time. */
function stateKey(machine: Machine, t: LogicalThread | null): number {
  let status = t === null ? 7 : t.id;
  for (const o of machine.threads) status = status * 8 + o.state;
  status = (status * 61 + ((machine.clock + machine.waitedMs) % 1e6)) | 0;
  const lo = (machine.conflicts.sigLo ^ Math.imul(status, 0x9e3779b1)) >>> 0;
  const hi = (machine.conflicts.sigHi + Math.imul(status, 0x85ebca6b)) >>> 0;
  return hi * 0x200000 + (lo >>> 11);
}

export interface ExploreOptions {
  /** Preemptions. */
  bound?: number;
  /** Leave out schedules that follow from states that were explored. */
  reduce?: boolean;
  /** Default: all schedules within the bound. */
  focus?: Focus;
  /** performance.now() at which to stop. */
  deadline?: number;
  maxRuns?: number;
  maxFailures?: number;
  judge: Judge;
}

/** Runs all schedules within a bound. @param machine is sealed */
export function explore(machine: Machine, operations: Operation[], options: ExploreOptions): Explored {
  const {
    bound = 2,
    reduce = true,
    focus,
    deadline = NO_DEADLINE,
    maxRuns = UNLIMITED,
    maxFailures = 1,
    judge,
  } = options;
  const out = nothingExplored();
  exploreCallOrders(machine, operations, { deadline, maxRuns, judge }, out);
  if (out.failures.length >= maxFailures) return out;
  const search = new Search(bound, reduce, focus);
  for (;;) {
    search.begin();
    const outcome = machine.run(operations, search);
    out.runs++;
    const bad = search.known ? null : verdict(outcome, judge);
    const replay = bad === null ? "" : formatSchedule(machine.schedule);
    if (!search.known) out.schedules++;
    if (bad !== null) out.failures.push({ message: bad, replay });
    // With more scheduling points the decisions made so far mean something else.
    if (machine.adoptConflicts()) {
      search.forget();
      out.schedules = 0;
    } else if (!search.advance()) {
      out.complete = true;
      break;
    }
    if (out.failures.length >= maxFailures || out.runs >= maxRuns || performance.now() > deadline) break;
  }
  out.states = search.visited.size;
  out.conflicts = machine.conflicts.known;
  return out;
}

/** Runs the calls one by one, in each order. @param out gets the runs and failures */
function exploreCallOrders(
  machine: Machine,
  operations: Operation[],
  { deadline, maxRuns, judge }: { deadline: number; maxRuns: number; judge: Judge },
  out: Explored,
): void {
  const search = new Search(0, false);
  do {
    search.begin();
    const outcome = runCallByCall(machine, operations, search);
    out.runs++;
    const bad = verdict(outcome, judge);
    if (bad !== null) out.failures.push({ message: bad, replay: formatSchedule(machine.schedule) });
    machine.adoptConflicts();
    if (out.failures.length > 0 || out.runs >= maxRuns || performance.now() > deadline) return;
  } while (search.advance());
}
