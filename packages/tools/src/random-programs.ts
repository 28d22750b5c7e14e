/**
 * The long form of the random programs (packages/threadfs/test/properties/programs): round after round with a new seed.
 *
 *   node packages/tools/dist/random-programs.js [--rounds n] [--programs n] [--length n] [--seed n]
 *
 * It ends with the first round that fails, whose report has the shortened program. Its seed is that of the first round and the number
 * of the round added; the same options with `--seed` of that sum run it again.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** An option that is a whole number. @throws Error */
function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`--${name} takes a whole number, not ${text}`);
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    programs: { type: "string", default: "500" },
    length: { type: "string", default: "100" },
    seed: { type: "string", default: String(Date.now() & 0x7fffffff) },
  },
});

const [rounds, seed] = [whole("rounds", values.rounds), whole("seed", values.seed)];
for (let round = 0; round < rounds && !process.exitCode; round++) {
  console.log(`seed ${seed + round}, round ${round + 1} of ${rounds}`);
  const runner = fileURLToPath(new URL("run-tests.js", import.meta.url));
  const { status } = spawnSync(process.execPath, [runner, "threadfs/properties/programs"], {
    stdio: "inherit",
    env: {
      ...process.env,
      PROPERTY_SEED: String(seed + round),
      PROPERTY_RUNS: String(whole("programs", values.programs)),
      PROGRAM_LENGTH: String(whole("length", values.length)),
    },
  });
  process.exitCode = status ?? 1;
}
