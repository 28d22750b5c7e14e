/** What is used of packages of the hosts, which only the page's bundler finds. */
declare module "@emnapi/core" {
  export const instantiateNapiModule: import("threadfs/napi-rs").NapiRuntime["instantiateNapiModule"];
}

declare module "@emnapi/runtime" {
  export function getDefaultContext(): object;
}

declare module "@rolldown/browser" {
  export const rolldown: import("../napi-rs/bundle.js").Rolldown;
}

/** The loader of its binding, as it comes. */
declare module "stock-loader" {
  export const __fs: import("./offer.js").PageFs;
}
