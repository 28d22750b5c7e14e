/** Why a walk left rcu mode. The counters dropUncached to dropCreate (counters.ts) are in the same order. */
export const UNCACHED = 0;
export const PERMISSION = 1;
export const REVALIDATE = 2;
export const LINK = 3;
export const REVAL_DOT = 4;
export const CREATE = 5;
