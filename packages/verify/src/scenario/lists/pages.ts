/** The operations on the tree of two files, one of pages and one of a block: what is read and written, how, and meanwhile. */
import type { ProgramCall } from "../../model/call.js";

type Read = { offset: number; n?: number; direct?: boolean };
const read = (fd: number, more: Read): ProgramCall => ({ call: "sysRead", fd, n: 100, ...more });
const write = (fd: number, data: string, offset: number): ProgramCall => ({ call: "sysWrite", fd, offset, data });
const truncate = (path: string, size: number): ProgramCall => ({ call: "sysTruncate", path, size });
const stat = (path: string): ProgramCall => ({ call: "sysStat", path });

export const PAGES: Record<string, (ProgramCall | ProgramCall[])[]> = {
  write: [
    write(3, "0123456789", 65530),
    write(4, "0123456789", 4090),
    write(3, "0123456789", 4090),
    [write(4, "x", 5000), write(4, "y", 65537)],
  ],
  truncate: [truncate("/f", 5000), truncate("/f", 66000), truncate("/g", 10), truncate("/f", 0)],
  read: [
    read(3, { offset: 61435 }),
    read(3, { offset: 61435, direct: true }),
    read(4, { offset: 4090, n: 66_000, direct: true }),
  ],
  unlink: [
    [
      { call: "sysUnlink", path: "/g" },
      { call: "sysClose", fd: 4 },
    ],
  ],
  stat: [stat("/f"), stat("/g")],
  /** Opened, read or written, and closed in one call. */
  readFile: [
    { call: "sysReadFile", path: "/f" },
    { call: "sysReadFile", path: "/g" },
  ],
  writeFile: [
    { call: "sysWriteFile", path: "/g", data: "w".repeat(5000) },
    { call: "sysWriteFile", path: "/x", data: "new" },
    { call: "sysWriteFile", path: "/g", append: true, data: "more" },
  ],
};
