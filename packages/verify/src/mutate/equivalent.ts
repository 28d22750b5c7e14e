/**
 * Mutations that change nothing that a caller could see, by their names without the place in the file, and why. The reason names what
 * else holds the property.
 */
export const EQUIVALENT: Record<string, string> = {};

/** A name without line and column, so that an entry stays right when lines move. */
export const nameWithoutLine = (name: string): string => name.replace(/(core\/[\w./-]+):\d+:\d+/, "$1");
