/** What is used of php-wasm, which only the bundler finds. */
declare module "@php-wasm/web-8-4" {
  /** The loader of the build with JSPI where the browser has that. */
  export function getPHPLoaderModule(): Promise<{ dependencyFilename: string }>;
  /** Whether the browser has JSPI. */
  export function jspi(): Promise<boolean>;
}

declare module "@php-wasm/universal" {
  interface ProgramFs {
    mount(type: unknown, options: object, place: string): object;
    unmount(place: string): void;
  }
  export function loadPHPRuntime(loader: object, options: object): Promise<number>;
  export class PHP {
    constructor(runtime: number);
    mkdir(path: string): void;
    mount(path: string, mount: (php: PHP, FS: ProgramFs, place: string) => () => void): Promise<unknown>;
    run(request: { code: string }): Promise<{ text: string; errors: string }>;
  }
}
