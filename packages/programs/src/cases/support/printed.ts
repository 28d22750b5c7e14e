/** What a program in a document prints: the comments behind its calls of console.log(). @throws Error if it prints nothing */
export function printedBy(text: string): string[] {
  const lines = [...text.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, line = ""]) => line);
  if (lines.length === 0) throw new Error("the program prints nothing");
  return lines;
}
