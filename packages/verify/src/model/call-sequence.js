/** A program: the calls of one thread, in order. An argument `{ of: n }` stands for the answer to the program's n-th call. */

/** The call with such arguments filled in; a failed call's answer is a descriptor that is not open. */
export function resolveCall(call, answers) {
  const entries = Object.entries(call).map(([key, value]) => {
    if (typeof value !== "object" || value === null || value.of === undefined) return [key, value];
    const answer = answers[value.of];
    return [key, typeof answer === "number" ? answer : -1];
  });
  return Object.fromEntries(entries);
}
