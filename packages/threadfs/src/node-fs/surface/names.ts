/** Names and numbers of parameters of the functions of a surface, as Node's have them. */

import { bare } from "../../errors/bare.js";

/** The calls whose `length` is not 1. */
const LENGTHS: Readonly<Record<string, number>> = {
  accessSync: 2,
  appendFileSync: 3,
  chmodSync: 2,
  chownSync: 3,
  copyFileSync: 3,
  cpSync: 3,
  fchmodSync: 2,
  fchownSync: 3,
  futimesSync: 3,
  lchownSync: 3,
  linkSync: 2,
  lutimesSync: 3,
  mkdirSync: 2,
  mkdtempDisposableSync: 2,
  mkdtempSync: 2,
  openSync: 3,
  opendirSync: 2,
  readFileSync: 2,
  readSync: 5,
  readdirSync: 2,
  readlinkSync: 2,
  readvSync: 3,
  realpathSync: 2,
  renameSync: 2,
  rmSync: 2,
  rmdirSync: 2,
  symlinkSync: 3,
  truncateSync: 2,
  utimesSync: 3,
  writeFileSync: 3,
  writeSync: 5,
  writevSync: 3,
};

function rename(call: object, name: string, length: number): void {
  Object.defineProperty(call, "name", bare({ value: name, configurable: true }));
  Object.defineProperty(call, "length", bare({ value: length, configurable: true }));
}

/** Gives the calls of a surface their names. Returns it. */
export function named<S extends object>(surface: S): S {
  for (const [name, call] of Object.entries(surface)) {
    if (name.endsWith("Sync")) rename(call, name, LENGTHS[name] ?? 1);
  }
  const { native } = (surface as { realpathSync?: { native?: object } }).realpathSync ?? {};
  // Node's is an arrow function that is assigned to a property, which gives it no name.
  if (native !== undefined) rename(native, "", 2);
  return surface;
}
