/** A value that must be there. @throws Error that names it, when it is undefined or null */
export function defined<T>(value: T, what: string): NonNullable<T> {
  if (value === undefined || value === null) throw new Error(`there is no ${what}`);
  return value;
}
