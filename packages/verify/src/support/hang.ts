/** Waiting for other threads: for what happens, without a verdict on how fast they are. */

/**
 * The longest time that a check or a test waits for another thread or process, in milliseconds: it ends one that hangs. On a busy machine
 * a thread may take long for little, so that no shorter limit says anything about the thread.
 */
export const HANG_MS = 600_000;
/** The interval between two looks at what is waited for. */
const POLL_MS = 2;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Waits until it is so.
 * @param looksMax so many looks, each in a turn of the event loop, are enough for what comes by itself, however busy the machine is
 * @throws Error when that has hung
 */
export async function until(
  done: () => boolean,
  what = "what is waited for",
  looksMax = Number.POSITIVE_INFINITY,
): Promise<void> {
  const end = performance.now() + HANG_MS;
  for (let looks = 0; !done(); looks++) {
    if (looks >= looksMax || performance.now() > end) throw new Error(`${what}: hangs`);
    await pause(POLL_MS);
  }
}

/** The value of a promise. @throws Error when it hangs */
export async function settled<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: hangs`)), HANG_MS);
  });
  try {
    return await Promise.race([promise, hangs]);
  } finally {
    clearTimeout(timer);
  }
}
