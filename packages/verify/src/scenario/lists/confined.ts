/**
 * The operations on the tree with a confined context (`resolve: "in-root"`): its user goes up by "..", another thread moves the
 * directories on the way out of the context's root, or the root itself. Whatever the order, the user sees nothing above the root.
 */
import { O_DIRECTORY, O_RDWR } from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall } from "../../model/call.js";
import { inContext } from "./closing.js";

/** Calls of the user, whose context is confined. */
const USERS: Record<string, ProgramCall[]> = {
  up: [
    { call: "sysStat", path: "../f" },
    { call: "sysStat", path: "../../f" },
    { call: "sysStat", path: "../../../f" },
    { call: "sysStat", path: "up" },
    { call: "sysOpen", path: "../../f", flags: O_RDWR },
    { call: "sysOpen", path: "../..", flags: O_DIRECTORY },
  ],
  climb: [
    { call: "sysChdir", path: ".." },
    { call: "sysChdir", path: "../.." },
  ],
  write: [
    { call: "sysMkdir", path: "../../x", mode: 0o755 },
    { call: "sysUnlink", path: "../f" },
  ],
};

const MOVES: ProgramCall[] = [
  ["/s/b", "/o/b"],
  ["/s/b/in", "/o/in"],
  ["/s/b/in", "/s/in"],
  ["/s", "/o/s"],
].map(([path = "", path2 = ""]) => ({ call: "sysRename", path, path2, flags: 0 }));

export const CONFINED: Record<string, ProgramCall[]> = {
  ...inContext(1, USERS),
  move: MOVES,
  mount: [
    { call: "sysMountNew", path: "/s/b" },
    { call: "sysUmount", path: "/s/m", flags: 0 },
  ],
};
