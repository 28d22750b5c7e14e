/** The operations on the tree whose table of names grows. */
import { O_CREAT, O_EXCL, O_WRONLY } from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall } from "../../model/call.js";
import { exchange, rename, stat, unlink } from "../calls.js";
import { link, mkdir, open } from "../setup-calls.js";

type Entry = ProgramCall | ProgramCall[];

export const SPLIT: Record<string, Entry[]> = {
  stat: [stat("/d/f"), stat("/d/x"), stat("/d/e")],
  /** Also in another directory, whose lock does not keep creations in this one apart from the split; and of a name that exists. */
  create: [
    open("/d/x", O_CREAT | O_WRONLY),
    mkdir("/d/y"),
    mkdir("/o/z"),
    open("/d/f", O_CREAT | O_EXCL),
    open("/d/e", O_CREAT | O_WRONLY),
  ],
  unlink: [unlink("/d/f")],
  rename: [rename("/d/f", "/d/x"), rename("/d", "/o/d"), rename("/d/e", "/o/e")],
  exchange: [exchange("/d/f", "/f")],
  link: [link("/f", "/d/x")],
  again: [[unlink("/d/f"), mkdir("/d/f")]],
  looks: [[stat("/d/f"), stat("/d/x")]],
};
