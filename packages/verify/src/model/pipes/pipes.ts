/** Pipes in the plainest form: pages of bytes, of which the first have been read. Plain data, never edited. */

/** The bytes of a page that were not read, and how many were. */
export interface PipePage {
  read: number;
  data: string;
}
export interface Pipe {
  pages: readonly PipePage[];
  /** The most pages. */
  slots: number;
  /** Openings for reading and for writing. */
  reads: number;
  writes: number;
}

const PAGE = 4096;
export const NEW_PIPE: Pipe = { pages: [], slots: 16, reads: 0, writes: 0 };

/** read(2): up to `n` bytes, and the pipe without them. */
export function take(pipe: Pipe, n: number): { data: string; pipe: Pipe } {
  let data = "";
  const pages: PipePage[] = [];
  for (const page of pipe.pages) {
    const part = page.data.slice(0, n - data.length);
    data += part;
    if (part.length < page.data.length)
      pages.push({ read: page.read + part.length, data: page.data.slice(part.length) });
  }
  return { data, pipe: { ...pipe, pages } };
}

/** write(2): what there is room for of a write of `total` bytes, of which `data` are left. */
export function put(pipe: Pipe, data: string, total: number): { done: number; pipe: Pipe } {
  const pages = [...pipe.pages];
  let done = 0;
  const rest = total % PAGE;
  const last = pages.at(-1);
  if (data.length === total && rest !== 0 && last !== undefined && last.read + last.data.length + rest <= PAGE) {
    pages[pages.length - 1] = { ...last, data: last.data + data.slice(0, rest) };
    done = rest;
  }
  for (; done < data.length && pages.length < pipe.slots; done += pages.at(-1)?.data.length ?? 0)
    pages.push({ read: 0, data: data.slice(done, done + PAGE) });
  return { done, pipe: { ...pipe, pages } };
}

/** F_SETPIPE_SZ: the pages of a size. */
export function slotsOf(size: number): number {
  let slots = 1;
  while (slots * PAGE < size) slots *= 2;
  return slots;
}
