/** What a check said, as one line, and the table of docs/planted.md. */

const LINE_MAX = 180;
/** Errors that come from a broken copy of the project and not from the core: they do not count as caught. */
const TOOL_BROKEN =
  /^Error: names: |^names: (?:core\.wasm is not|the )|ERR_MODULE_NOT_FOUND|no test file matches|ERR_PARSE_ARGS|SyntaxError|^ERR_VERIFY_/m;

export const toolBroken = (output: string): boolean => TOOL_BROKEN.test(output);

/** How a check ended. */
export interface Ended {
  code: number | null;
  /** Both streams, cut to their end if they are too long. */
  output: string;
  /** It was killed, because it ran far beyond its time. */
  late: boolean;
}

/** The line with the error. */
export function firstLine({ output, late, code }: Ended): string {
  if (late) return "it did not come to an end";
  const line =
    fromCheck(output) ?? fromTorture(output) ?? fromTests(output) ?? fromCrash(output) ?? `ended with ${code}`;
  const plain = line
    .replaceAll(/\S*threadfs-planted-\w+\//g, "")
    .replaceAll(/\/tmp\/[\w./-]+/g, "DIRECTORY")
    .replaceAll(/\s+/g, " ")
    .trim();
  return plain.length > LINE_MAX ? `${plain.slice(0, LINE_MAX)} ...` : plain;
}

/** The message of the first failure: behind the numbers, after an empty line; its second line where the first is only a place. */
function fromCheck(output: string): string | undefined {
  const [, rest] = /: FAILS \(seed [^\n]*\n([\s\S]*)/.exec(output) ?? [];
  if (rest === undefined) return undefined;
  const lines = rest.slice(rest.indexOf("\n\n") + 2).split("\n");
  const more = lines.slice(1, 3).filter((line) => line !== "" && !/^ {2}(?:again: |the arena is not whole)/.test(line));
  const third = lines[1]?.includes("the arena is not whole") ? lines[2] : undefined;
  return [lines[0], third ?? more[0] ?? ""].join(": ");
}

function fromTorture(output: string): string | undefined {
  return /^FAILED (.*)$/m.exec(output)?.[1];
}

function fromTests(output: string): string | undefined {
  const failed = /^ *✖ (?!failing tests)(.*?)(?: \([\d.]+ms\))?$/m.exec(output)?.[1];
  if (failed === undefined) return undefined;
  const error = /^ *((?:AssertionError|[A-Z]\w*Error)\b.*)$/m.exec(output)?.[1];
  return `${failed}${error === undefined ? "" : `: ${error}`}`;
}

function fromCrash(output: string): string | undefined {
  return /^ *(?:Uncaught )?((?:[A-Z]\w*)?Error\b.*)$/m.exec(output)?.[1];
}

/** A check that ran on a fault, and the first line of its failure. */
export interface Tried {
  command: string;
  seconds: number;
  said: string;
}

/** The result of a fault: the check that caught it, and those that did not. */
export interface Result {
  name: string;
  known?: number | undefined;
  caught: (Tried & { check: string }) | null;
  tried: Tried[];
}

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

interface About {
  command: string;
  /** The names of the whole list. */
  all: string[];
  notPlanted: Record<number, string>;
}

/** The text of docs/planted.md. */
export function document(results: Result[], { command, all, notPlanted }: About): string {
  const missed = results.filter(({ caught }) => caught === null);
  const caught = results.filter(({ caught: by }) => by !== null);
  const left = all.filter((name) => !results.some((result) => result.name === name));
  const numbers = [...new Set(caught.flatMap(({ known }) => (known === undefined ? [] : [known])))].sort(
    (a, b) => a - b,
  );
  const lines = [
    "# Planted faults",
    "",
    `Can the checks fail? ${results.length} faults were planted in the source of the core and of the packages around it, one at a time; the checks caught ${caught.length} and missed ${missed.length}.`,
    "",
    "A fault counts as caught only if a check holds on the unchanged project, with the same seed, and fails with the fault. The checks of a",
    "fault run in turn, the fastest first, until one catches it. The seconds are those of that check's process, which includes instrumenting the core, on the",
    "machine that made this table.",
    "",
    `Made by \`${command}\`, possibly in several runs that continue each other (\`--results FILE\`).`,
    'One fault by itself: `npm run verify -- planted --only "words of its name"`.',
    "",
  ];
  if (missed.length > 0) {
    lines.push("## Not caught", "", "| fault | known bug | checks that missed it |", "|---|---|---|");
    for (const { name, known, tried } of missed) {
      const what = tried.map((t) => `\`${t.command}\` (${t.seconds.toFixed(0)} s): ${t.said}`).join("<br>");
      lines.push(`| ${cell(name)} | ${known ?? ""} | ${cell(what)} |`);
    }
    lines.push("");
  }
  if (left.length > 0) {
    lines.push(
      "## Not run",
      "",
      `The run ended before these ${left.length} of the ${all.length} faults in the list were planted:`,
      "",
    );
    lines.push(...left.map((name) => `- ${name}`), "");
  }
  lines.push(
    "## Caught",
    "",
    "| fault | known bug | caught by | s | first line of the failure |",
    "|---|---|---|---|---|",
  );
  for (const { name, known, caught: by } of caught) {
    const { check, seconds, said } = by ?? { check: "", seconds: 0, said: "" };
    lines.push(`| ${cell(name)} | ${known ?? ""} | ${cell(check)} | ${seconds.toFixed(1)} | ${cell(said)} |`);
  }
  lines.push("", "## Known bugs of this algorithm", "");
  lines.push(`Planted and caught: ${numbers.join(", ")}.`);
  if (left.length + missed.length > 0)
    lines.push("The other numbered bugs of the list were not caught or not run, see above.");
  lines.push("", "Cannot be planted:", "");
  for (const [n, why] of Object.entries(notPlanted)) lines.push(`- ${n}: ${why}`);
  lines.push("");
  return lines.join("\n");
}
