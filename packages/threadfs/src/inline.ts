/** threadfs with the core in the program's text: for bundlers that do not find core.wasm. */
export { createVfs, loadCore } from "./api/create-inline.js";
export * from "./exports.js";
