/** threadfs: one file tree in shared memory that every JavaScript thread opens directly. */
export { attachVfs, createVfs, loadCore } from "./api/create.js";
export * from "./exports.js";
