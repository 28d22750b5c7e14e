// What a question answers with: measured values, what they amount to against rivals and targets, and notes. One shape
// for all, so that one table printer and one JSON writer serve them.

import { ratioSummary, summary } from "./stats.js";

export class Result {
  constructor(name, question) {
    this.name = name;
    this.question = question;
    /** Measured values: { what, who, unit, value, low, high, rounds }. */
    this.measures = [];
    /** What they amount to: { what, against, unit, value, low, high, best, target, atMost, met }. */
    this.figures = [];
    /** Series along one axis: { title, head, rows }. */
    this.curves = [];
    this.notes = [];
  }

  /** Enters one value per round; answers it, to be compared later. */
  measure(what, who, unit, rounds) {
    const entry = { what, who, unit, ...summary(rounds), rounds };
    this.measures.push(entry);
    return entry;
  }

  /**
   * Enters how many times `above` is `below`, round by round, and beside it the ratio of both sides' best rounds, which
   * other work on the machine has disturbed least.
   * @param {number} [target] smallest ratio wanted
   */
  ratio(what, above, below, target) {
    if (!above || !below) return undefined;
    const spread = ratioSummary(above.rounds, below.rounds);
    // Of a rate the highest round is the best, of a time the lowest.
    const best = above.unit.endsWith("/s") ? above.high / below.high : above.low / below.low;
    return this.figure(what, `${above.who} / ${below.who}`, "x", spread, { target, best });
  }

  /**
   * Enters a figure. `spread` is { value, low, high } or one number.
   * @param {{ target?: number, atMost?: boolean, best?: number }} [wanted] atMost: the target is an upper bound; best: the
   *   figure of the best rounds
   */
  figure(what, against, unit, spread, wanted = {}) {
    const numbers = typeof spread === "number" ? { value: spread, low: spread, high: spread } : spread;
    const { target, atMost = false, best } = wanted;
    const met = target === undefined ? undefined : atMost ? numbers.value <= target : numbers.value >= target;
    const entry = { what, against, unit, ...numbers, best, target, atMost, met };
    this.figures.push(entry);
    return entry;
  }

  curve(title, head, rows) {
    this.curves.push({ title, head, rows });
  }

  note(text) {
    this.notes.push(text);
  }
}
