/**
 * What `import core from "threadfs/core.wasm"` is, is up to the bundler: mostly the file's URL, for
 * `createVfs({ core: await loadCore({ url: core }) })`; a compiled `WebAssembly.Module`, for `createVfs({ core })`, where the host
 * compiles ahead of time. So it has no type that would suit every bundler.
 */
// biome-ignore lint/suspicious/noExplicitAny: see above
declare const core: any;
export default core;
