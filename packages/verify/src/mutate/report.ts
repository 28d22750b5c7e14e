/** The results of a round of mutations as a table, for the terminal and for docs/mutations.md. */
import type { Result } from "../planted/report.js";
import { EQUIVALENT, nameWithoutLine } from "./equivalent.js";

const SHOWN_MAX = 110;

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const cut = (text: string) => (text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)} ...` : text);

/** A name as mutantOf() makes it, in its parts. */
export function partsOf(name: string): { operator: string; place: string; change: string } {
  const [, operator = "", place = "", change = ""] = /^(.*?), (core\/\S+:\d+:\d+): (.*)$/s.exec(name) ?? [];
  return { operator, place, change };
}

function verdict({ name, caught }: Result): string {
  if (caught) return `${caught.check}: ${cut(caught.said)}`;
  const why = EQUIVALENT[nameWithoutLine(name)];
  return why === undefined ? "**survives**" : `equivalent: ${why}`;
}

export interface MutationTable {
  text: string;
  document: string;
  /** Mutations that no check tells and that are not known to be equivalent. */
  survivors: number;
}

/** @param about `asked`: how many mutations the round has; those without a result were not run */
export function mutationTable(results: readonly Result[], about: { seed: number; asked: number }): MutationTable {
  const survivors = results.filter(({ name, caught }) => !caught && !(nameWithoutLine(name) in EQUIVALENT));
  const caught = results.filter((result) => result.caught !== null).length;
  const sum = `${results.length} of ${about.asked} mutations of seed ${about.seed} were run: ${caught} were told, ${survivors.length} survive, ${results.length - caught - survivors.length} are equivalent.`;
  const rows = results.map((result) => {
    const { operator, place, change } = partsOf(result.name);
    return `| ${operator} | ${place} | \`${cell(cut(change))}\` | ${cell(verdict(result))} |`;
  });
  const document = [
    "# Mutations by chance",
    "",
    "Planted faults ([planted.md](planted.md)) are chosen by hand. These are small changes of the core's source by operators, chosen by a seed, that are not in that list: a check, a put, a wake-up",
    "or an entry of the undo log is left out, two stores change places, a compare is weakened, a number is one too large. Each that compiles is put to the tests of the core and the short checks",
    "in turn, until one tells. What no check tells is a hole in the checks, or equivalent: then the table says why.",
    "",
    `Made by \`npm run mutate -- --seed ${about.seed} --count ${about.asked} --doc docs/mutations.md\`, possibly in several runs that continue each other (\`--results FILE\`).`,
    "",
    sum,
    "",
    "| operator | place | change | told by |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
  const text = [sum, ...survivors.map(({ name }) => `survives: ${name}`)].join("\n");
  return { text, document, survivors: survivors.length };
}
