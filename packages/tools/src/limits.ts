/** Longest time that one test may take, and that a whole file of tests may take. */
export const TIMEOUT_MS = Number(process.env.TEST_TIMEOUT_MS ?? 120_000);
