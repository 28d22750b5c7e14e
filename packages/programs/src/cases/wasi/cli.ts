/** What a component has besides files, in every host: arguments, environment, standard streams, its exit. */
/** The exit of a component, through its frames. */
class Exit {
  readonly failed: boolean;
  constructor({ tag }: { tag: "ok" | "err" }) {
    this.failed = tag === "err";
  }
}

/** A standard output. */
function writer(take: (bytes: Uint8Array) => void): object {
  return { checkWrite: () => 4096n, write: take, blockingWriteAndFlush: take, blockingFlush() {}, subscribe() {} };
}

/** Arguments, environment and standard streams of a component: `wasi:cli` in the shape of jco's shim. */
export function cli(args: readonly string[], env: Readonly<Record<string, string>>, input: string) {
  const given = { stdout: "", stderr: "" };
  const lines = [new TextEncoder().encode(input)];
  const read = (): Uint8Array => {
    const line = lines.shift();
    if (line === undefined) throw { tag: "closed" };
    return line;
  };
  const take = (name: "stdout" | "stderr") => (bytes: Uint8Array) => {
    given[name] += new TextDecoder().decode(bytes);
  };
  class Terminal {}
  const shim = {
    environment: { getEnvironment: () => Object.entries(env), getArguments: () => args, initialCwd() {} },
    exit: {
      exit(status: { tag: "ok" | "err" }): never {
        throw new Exit(status);
      },
    },
    stdin: { getStdin: () => ({ read, blockingRead: read, subscribe() {} }) },
    stdout: { getStdout: () => writer(take("stdout")) },
    stderr: { getStderr: () => writer(take("stderr")) },
    terminalInput: { TerminalInput: Terminal },
    terminalOutput: { TerminalOutput: Terminal },
    terminalStdin: { getTerminalStdin() {} },
    terminalStdout: { getTerminalStdout() {} },
    terminalStderr: { getTerminalStderr() {} },
  };
  return { given, shim };
}

/** Runs a component. Whether its exit code was not 0, which is all that it tells. */
export function hasFailed(run: () => void): boolean {
  try {
    run();
    return false;
  } catch (error) {
    if (error instanceof Exit) return error.failed;
    throw error;
  }
}
