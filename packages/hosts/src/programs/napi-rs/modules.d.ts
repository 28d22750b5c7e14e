/** What is used of packages that only the bundler finds. */
declare module "@emnapi/core" {
  export const instantiateNapiModule: import("threadfs/napi-rs").NapiRuntime["instantiateNapiModule"];
  export const instantiateNapiModuleSync: import("threadfs/napi-rs").ThreadRuntime["instantiateNapiModuleSync"];
  export const MessageHandler: import("threadfs/napi-rs").ThreadRuntime["MessageHandler"];
}

declare module "@emnapi/runtime" {
  export function getDefaultContext(): object;
}

declare module "@rolldown/browser" {
  interface Bundle {
    write(options: object): Promise<{ output: { code: string }[] }>;
    close(): Promise<void>;
  }
  export function rolldown(options: object): Promise<Bundle>;
}
