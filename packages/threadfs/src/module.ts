/** threadfs for a core that is compiled already: for hosts that compile when they load or build a program. */
export { createVfs, type ModuleOptions } from "./api/create-module.js";
export * from "./exports.js";
