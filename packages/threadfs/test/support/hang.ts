/**
 * The longest time that a test waits for another thread or process, in milliseconds. It ends a test that hangs; on a busy machine a
 * thread may take long for little, so that no shorter limit says anything about the thread.
 */
export const HANG_MS = 600_000;
