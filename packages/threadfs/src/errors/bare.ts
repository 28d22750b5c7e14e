/** Objects without a prototype. The lowest module of the library: errors, options and results need it. */

/**
 * The same properties in an object without a prototype. The engine and the library read descriptors and options by name; what
 * these do not have, a changed `Object.prototype` then does not give them.
 */
export function bare<T extends object>(properties: T): T {
  return Object.assign(Object.create(null), properties);
}

/** A property that an object, or a class of it, has; undefined for what only `Object.prototype` has. */
export function propertyOf<T extends object, K extends keyof T>(object: T, key: K): T[K] | undefined {
  return Object.hasOwn(object, key) || !(key in Object.prototype) ? object[key] : undefined;
}
