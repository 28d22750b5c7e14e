/**
 * The operations on the tree with confined contexts (`resolve: "in-root"`, "beneath") and openat2: users go up by "..", another thread moves the
 * directories on the way out of the root, or the root itself. Whatever the order, no user sees anything above the root.
 */
import {
  O_DIRECTORY,
  O_RDONLY,
  O_RDWR,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_XDEV,
} from "../../../../threadfs/dist/abi/abi.js";
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

/** Calls of the user whose context may not leave its root. */
const BENEATH: Record<string, ProgramCall[]> = {
  fenced: [
    { call: "sysStat", path: "f" },
    { call: "sysStat", path: "../../f" },
    { call: "sysStat", path: "../../../f" },
    { call: "sysStat", path: "/b/in/../f" },
    { call: "sysOpen", path: "up", flags: O_RDWR },
  ],
  make: [{ call: "sysMkdir", path: "../x", mode: 0o755 }],
};

const openat2 = (path: string, resolve: number): ProgramCall => ({
  ...{ call: "sysOpenat2", dirfd: 3, path, flags: O_RDONLY, resolve },
});

/** Opens that stay below the directory of a descriptor. */
const OPENS: ProgramCall[] = [
  openat2("b/in/../f", RESOLVE_BENEATH),
  openat2("b/in/../../f", RESOLVE_BENEATH),
  openat2("b/in/up", RESOLVE_IN_ROOT),
  openat2("b/../../f", RESOLVE_IN_ROOT),
  openat2("m/../f", RESOLVE_NO_XDEV),
];

const MOVES: ProgramCall[] = [
  ["/s/b", "/o/b"],
  ["/s/b/in", "/o/in"],
  ["/s/b/in", "/s/in"],
  ["/s", "/o/s"],
].map(([path = "", path2 = ""]) => ({ call: "sysRename", path, path2, flags: 0 }));

export const CONFINED: Record<string, ProgramCall[]> = {
  ...inContext(1, USERS),
  ...inContext(2, BENEATH),
  openat2: OPENS,
  move: MOVES,
  mount: [
    { call: "sysMountNew", path: "/s/b" },
    { call: "sysUmount", path: "/s/m", flags: 0 },
  ],
};
