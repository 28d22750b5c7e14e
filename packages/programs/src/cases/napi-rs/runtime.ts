/** What is used of @napi-rs/wasm-runtime, which has no types. */
import { createRequire } from "node:module";
import type { NapiRuntime, ThreadRuntime } from "threadfs/napi-rs";

type Runtime = NapiRuntime & ThreadRuntime & { emnapiAsyncWorkPlugin?: object; emnapiTSFNPlugin?: object };

/** The runtime that a package depends on, and what a binding needs that is compiled for emnapi 2. */
export function loadRuntime(path: string): { runtime: Runtime; emnapi: object } {
  const runtime = createRequire(path)("@napi-rs/wasm-runtime") as Runtime;
  const { emnapiAsyncWorkPlugin: work, emnapiTSFNPlugin: functions } = runtime;
  return { runtime, emnapi: work === undefined ? {} : { plugins: [work, functions] } };
}
