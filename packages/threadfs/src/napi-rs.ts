/** The entry "threadfs/napi-rs": bindings of napi-rs for wasm32-wasi, each thread of which opens the tree directly. */
export { type BindingOptions, instantiateBinding, type NapiBinding } from "./napi-rs/binding.js";
export { runBindingThreads } from "./napi-rs/threads.js";
export type { BindingThreadOptions, BindingWorker, NapiRuntime, ThreadRuntime } from "./napi-rs/types.js";
