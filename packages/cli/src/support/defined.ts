/** Returns a value that the code around it knows to be there. @throws Error that names what is missing */
export function defined<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is missing`);
  return value;
}
