/** Reports the result of a page's program to the server of the page. */
export function reportOf(main: () => Promise<void>): void {
  const report = (result: string) => void fetch("/result", { method: "POST", body: result });
  main().then(
    () => report("ok"),
    (error: Error) => report(`${error}\n${error.stack} ${error.cause ?? ""}`),
  );
}

/** The code of the error of a call; undefined: it returns. */
export async function codeOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}
