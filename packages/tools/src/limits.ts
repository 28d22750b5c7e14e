/**
 * The limits of a file of tests. They end a test that hangs, and decide nothing else: a busy machine slows the clock of a test, not its
 * processor time.
 */

/** Longest processor time of a file's process, in milliseconds: ends an endless loop. */
export const CPU_LIMIT_MS = Number(process.env.TEST_CPU_LIMIT_MS ?? 300_000);

/** Longest time that one test, and a whole file of tests, may take, in milliseconds: ends a wait that nothing ends. */
export const TIMEOUT_MS = Number(process.env.TEST_TIMEOUT_MS ?? 1_200_000);
