/** The debug build of the core, which reports named points to the host. */
export const DEBUG_CORE = new URL("../../dist/core.debug.wasm", import.meta.url);
