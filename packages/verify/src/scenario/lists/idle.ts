/**
 * A driver's file system whose limits of unused names are reached: names c and d, and n1 to n4 of those that do not exist, are idle; each call
 * that makes an entry kills c and d first, and the second one that makes an entry for a missing name n1 and n2.
 */
import { MNT_DETACH, O_CREAT, O_RDWR, O_WRONLY, S_IFDIR, S_IFREG } from "../../../../threadfs/dist/abi/abi.js";
import type { Call, ProgramCall } from "../../model/call.js";
import { stat, umount, unlink } from "../calls.js";
import { CACHED_HOOKS } from "../driver.js";
import { mkdir, open } from "../setup-calls.js";
import type { Tree } from "../trees.js";

const FILES = ["a", "b", "c", "d", "e", "f", "g", "h"];
const MISSING = ["n1", "n2", "n3", "n4", "n5", "n6", "n7"];
const FILE = S_IFREG | 0o644;

/** Makes and removes a name, which is in the cache then as one that does not exist. */
const forget = (name: string): Call[] => [
  { call: "sysMknod", path: `/m/${name}`, mode: FILE },
  { call: "sysUnlink", path: `/m/${name}` },
];

export const IDLE_TREE: Tree = {
  contexts: [],
  setup: [mkdir("/m")],
  driver: "/m",
  hooks: CACHED_HOOKS,
  contents: {
    nodes: {
      1: { mode: S_IFDIR | 0o755, kids: Object.fromEntries(FILES.map((name, n) => [name, n + 2])) },
      ...Object.fromEntries(FILES.map((_, n) => [n + 2, { mode: FILE }])),
    },
  },
  paths: ["", ...FILES.map((name) => `/${name}`)],
  unused: { positive: 8, negative: 8 },
  // The looks at a and b list these two anew, and make the others idle.
  after: [...MISSING.flatMap(forget), { call: "sysStat", path: "/m/a" }, { call: "sysStat", path: "/m/b" }],
};

export const IDLE: Record<string, (ProgramCall | ProgramCall[])[]> = {
  stat: [stat("/m/c"), stat("/m/n1"), stat("/m/x")],
  open: [open("/m/c", O_RDWR)],
  create: [open("/m/n1", O_CREAT | O_WRONLY), mkdir("/m/x")],
  unlink: [unlink("/m/c")],
  umount: [umount("/m", MNT_DETACH)],
  shrink: [{ call: "shrink", count: 2 }],
  looks: [
    [stat("/m/c"), stat("/m/c")],
    [stat("/m/x"), stat("/m/y")],
  ],
};
