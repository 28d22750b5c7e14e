// The result of a question: measured values, their ratios to rivals and targets, and notes. One shape for all questions,
// so that one table printer and one JSON writer serve them.

import { ratioSummary, type Summary, summary } from "./stats.js";

/** A measured value. */
export interface Measure extends Summary {
  what: string;
  who: string;
  unit: string;
  rounds: number[];
}

/** What measured values amount to, beside a rival or a target. */
export interface Figure extends Summary {
  what: string;
  against: string;
  unit: string;
  /** The figure of the best rounds. */
  best?: number;
  target?: number;
  /** Whether the target is an upper bound. */
  atMost: boolean;
  met?: boolean;
}

/** A series along one axis. */
export interface Curve {
  title: string;
  head: string[];
  rows: (string | number)[][];
}

/** The settings of a figure that may be left out. */
export interface Wanted {
  target?: number | undefined;
  /** The target is an upper bound. */
  atMost?: boolean;
  /** The figure of the best rounds. */
  best?: number;
}

export class Result {
  readonly measures: Measure[] = [];
  readonly figures: Figure[] = [];
  readonly curves: Curve[] = [];
  readonly notes: string[] = [];
  /** The machine's load average before the question was measured. */
  load = 0;

  constructor(
    readonly name: string,
    readonly question: string,
  ) {}

  /** Adds one value per round; returns the measure, which ratio() takes. */
  measure(what: string, who: string, unit: string, rounds: number[]): Measure {
    const measure = { what, who, unit, ...summary(rounds), rounds };
    this.measures.push(measure);
    return measure;
  }

  /**
   * Adds how many times `above` is `below`, round by round, and beside it the ratio of both sides' best rounds, which
   * other work on the machine has disturbed least. Adds nothing where a side was left out.
   * @param target smallest ratio wanted
   */
  ratio(what: string, above: Measure | undefined, below: Measure | undefined, target?: number): void {
    if (!above || !below) return;
    const spread = ratioSummary(above.rounds, below.rounds);
    // Of a rate the highest round is the best, of a time the lowest.
    const best = above.unit.endsWith("/s") ? above.high / below.high : above.low / below.low;
    this.figure(what, `${above.who} / ${below.who}`, "x", spread, { target, best });
  }

  figure(what: string, against: string, unit: string, spread: Summary | number, wanted: Wanted = {}): void {
    const numbers = typeof spread === "number" ? { value: spread, low: spread, high: spread } : spread;
    const { target, atMost = false, best } = wanted;
    this.figures.push({
      what,
      against,
      unit,
      ...numbers,
      ...(best === undefined ? {} : { best }),
      ...(target === undefined ? {} : { target }),
      atMost,
      ...(target === undefined ? {} : { met: atMost ? numbers.value <= target : numbers.value >= target }),
    });
  }

  curve(title: string, head: string[], rows: (string | number)[][]): void {
    this.curves.push({ title, head, rows });
  }

  note(text: string): void {
    this.notes.push(text);
  }
}
