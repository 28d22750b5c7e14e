/** Work that a test hands to a worker as text. */

/**
 * A function that uses nothing but its arguments, since a worker runs its text; or the body of such a function as text,
 * whose parameters are named in the worker.
 */
export type WorkerBody<Args extends readonly unknown[]> = string | ((...args: Args) => unknown);

/** The body of a function that does the work with the worker's own `arguments`. */
export function sourceOf<Args extends readonly unknown[]>(body: WorkerBody<Args>): string {
  return typeof body === "string" ? body : `return (${body})(...arguments);`;
}
