/** The results of a round of mutations as a table, for the terminal and for docs/mutations.md. */
import { commandOf } from "../planted/detectors.js";
import type { Result } from "../planted/report.js";
import { EQUIVALENT, isEquivalent, nameWithoutLine } from "./equivalent.js";
import { STAGES } from "./stages.js";

const SHOWN_MAX = 110;

const STAGE_COMMANDS = new Set(STAGES.map(commandOf));

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const cut = (text: string) => (text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)} ...` : text);

/** A name as mutantOf() makes it, in its parts. */
export function partsOf(name: string): { operator: string; place: string; change: string } {
  const [, operator = "", place = "", change = ""] =
    /^(.*?), (core\/\S+?:\d+:\d+(?: \w+\(\))?): (.*)$/s.exec(name) ?? [];
  return { operator, place, change };
}

type Kind = "told" | "told, though called equivalent" | "equivalent" | "survives" | "not run";

function kindOf(name: string, result: Result | undefined): Kind {
  if (result?.caught) return isEquivalent(name) ? "told, though called equivalent" : "told";
  if (isEquivalent(name)) return "equivalent";
  return result === undefined ? "not run" : "survives";
}

function verdict(name: string, result: Result | undefined): string {
  const kind = kindOf(name, result);
  if (kind === "equivalent") return `equivalent${result ? ", and run" : ""}: ${EQUIVALENT[nameWithoutLine(name)]}`;
  if (!result?.caught) return kind === "survives" ? "**survives**" : kind;
  return `${kind === "told" ? "" : `**${kind}** `}${checkOf(result.caught)}: ${cut(result.caught.said)}`;
}

/** The stage that told, or the command of a part of it that was run in place of the stages. */
function checkOf({ check, command }: { check: string; command: string }): string {
  if (STAGE_COMMANDS.has(command)) return check;
  return `\`${command.replace(/^node packages\/(?:verify\/dist\/main|tools\/dist\/run-tests)\.js /, check === "tests" ? "tests " : "")}\``;
}

export interface MutationTable {
  text: string;
  document: string;
  /** No mutation survives that is not known to be equivalent, and no check tells one that is. */
  ok: boolean;
}

/** @param chosen the names of the round's mutations; those without a result were not run */
export function mutationTable(
  chosen: readonly string[],
  results: readonly Result[],
  { seed, count }: { seed: number; count: number },
): MutationTable {
  const resultOf = new Map(results.map((result) => [result.name, result]));
  const all = chosen.map((name) => ({ name, result: resultOf.get(name), kind: kindOf(name, resultOf.get(name)) }));
  const those = (kind: Kind) => all.filter((mutation) => mutation.kind === kind);
  const wrong = [...those("survives"), ...those("told, though called equivalent")];
  const told = those("told").length;
  const sum = `Of ${all.length} mutations of seed ${seed}, ${told} were told by a test or a check, ${those("survives").length} survive, ${those("equivalent").length} are equivalent, and ${those("not run").length} were not run.`;
  const rows = all.map(({ name, result }) => {
    const { operator, place, change } = partsOf(name);
    return `| ${operator} | ${place} | \`${cell(cut(change))}\` | ${cell(verdict(name, result))} |`;
  });
  const document = [
    "# Mutations by chance",
    "",
    "Planted faults ([planted.md](planted.md)) are chosen by hand. These are small changes of the core's source by operators, chosen by a seed, that are not in that list: a check, a put, a wake-up",
    "or an entry of the undo log is left out, two stores change places, a compare is weakened, a number is one too large. Each that compiles is put to the tests of the core and the short checks",
    "in turn, until one tells. A mutation that none tells is a hole in the checks, or equivalent: it changes nothing that a caller could see, and the table says why. The equivalent ones were judged",
    "by reading; they are put to the checks only with `--all`, and a check that then tells one fails the run. Where a row has a command, that part of a check was run alone, in place of all in turn.",
    "",
    `Made by \`npm run mutate -- --seed ${seed} --count ${count} --doc docs/mutations.md\`, possibly in several runs that continue each other (\`--results FILE\`). The table describes the core as it was`,
    "at that time. A test holds every equivalent mutation to the present source, and nothing else of the table.",
    "",
    sum,
    "",
    "| operator | place | change | told by |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
  const text = [sum, ...wrong.map(({ kind, name }) => `${kind}: ${name}`)].join("\n");
  return { text, document, ok: wrong.length === 0 };
}
