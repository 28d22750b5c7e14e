/** Parts of a module of WebAssembly, for programs that are so small that they are written in bytes. */
export const HEADER: readonly number[] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
export const I32 = 0x7f;

export const text = (value: string): number[] => [value.length, ...new TextEncoder().encode(value)];
export const section = (id: number, items: readonly number[][]): number[] => {
  const body = [items.length, ...items.flat()];
  return [id, body.length, ...body];
};
