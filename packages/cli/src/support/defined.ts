/** Returns a value that the code around it knows to be there. @throws Error that names it, when it is undefined or null */
export function defined<T>(value: T | null | undefined, what: string): T {
  if (value === undefined || value === null) throw new Error(`There is no ${what}`);
  return value;
}
