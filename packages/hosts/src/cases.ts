/** One host, bundler or TypeScript version with one way of using the library. */
export interface Case {
  /** With the version that is tested. */
  name: string;
  /** @throws Error with the output of what failed */
  run(): Promise<unknown>;
}
