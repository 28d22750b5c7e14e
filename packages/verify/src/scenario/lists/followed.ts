/** The operations on the tree whose log of changes is followed: one for each place that adds to the log. */
import { O_CREAT, O_WRONLY, RENAME_EXCHANGE, UTIME_OMIT } from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall } from "../../model/call.js";
import { chmod, link, mkdir, open } from "../setup-calls.js";

const rename = (path: string, path2: string, flags = 0): ProgramCall => ({ call: "sysRename", path, path2, flags });
const unlink = (path: string): ProgramCall => ({ call: "sysUnlink", path });

export const FOLLOWED: Record<string, (ProgramCall | ProgramCall[])[]> = {
  stat: [{ call: "sysStat", path: "/d/f" }],
  create: [open("/d/x", O_CREAT | O_WRONLY), mkdir("/o/x")],
  link: [link("/d/g", "/o/x")],
  unlink: [unlink("/d/g"), unlink("/d/f"), { call: "sysUnlink", path: "/d/e", removedir: true }],
  rename: [rename("/d/g", "/o/x"), rename("/d/g", "/d/f"), rename("/d", "/o/d"), rename("/d/f", "/o", RENAME_EXCHANGE)],
  again: [[unlink("/d/g"), mkdir("/d/g")]],
  chmod: [chmod("/d/f", 0o600)],
  truncate: [{ call: "sysTruncate", path: "/d/f", size: 1 }],
  write: [{ call: "sysWrite", fd: 3, offset: 0, data: "twenty bytes of it..." }],
  utimens: [{ call: "sysUtimens", path: "/d/g", atime: { sec: 0, nsec: UTIME_OMIT }, mtime: { sec: 5, nsec: 0 } }],
};
