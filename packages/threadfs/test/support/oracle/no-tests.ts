/** Takes the place of `node:test` in the oracle's process: the bodies of suites run, and no tests and no hooks. */

function suite(_name: unknown, ...rest: unknown[]): void {
  const body = rest.at(-1);
  if (typeof body === "function") body();
}

function nothing(): void {}

export const describe = Object.assign(suite, { skip: nothing });
export const test = Object.assign((..._args: unknown[]): void => {}, { skip: nothing, todo: nothing });
export const it = test;
export const before = nothing;
export const after = nothing;
export const beforeEach = nothing;
export const afterEach = nothing;
export default test;
