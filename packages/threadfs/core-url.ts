/**
 * Where the core lies: beside this file, in the package (`dist/`) as in the output of a bundler. Bundlers look for this form, a literal
 * and `import.meta.url` in one expression. A program whose bundler does not look for it copies core.wasm beside the bundle.
 */

/** @throws TypeError ERR_INVALID_URL in a bundle without `import.meta.url` */
export function coreUrl(): URL {
  return new URL("./core.wasm", import.meta.url);
}

/** The debug build, for `explain()`: a file that is fetched only then. @throws TypeError ERR_INVALID_URL as {@link coreUrl} */
export function debugCoreUrl(): URL {
  return new URL("./core.debug.wasm", import.meta.url);
}
