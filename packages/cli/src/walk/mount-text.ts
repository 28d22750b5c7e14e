/** What `--mount` takes: a path, and after its last colon flags, if all that follows is some. */
import type { MountOptions } from "threadfs";

/** A mount of an empty tmpfs, or with `bind` of the directory itself, which so gets the flags. */
export interface MountText {
  path: string;
  bind: boolean;
  flags: MountOptions;
}

const BIND = "bind";

/** Flags by the names of mount(8). */
const FLAGS: Readonly<Record<string, MountOptions>> = {
  [BIND]: {},
  ro: { readonly: true },
  noexec: { noexec: true },
  nosuid: { nosuid: true },
  nodev: { nodev: true },
  nosymfollow: { nosymfollow: true },
  nodiratime: { nodiratime: true },
};
export const MOUNT_FLAGS: readonly string[] = Object.keys(FLAGS);

/** A path that ends like flags is a path all the same if a slash follows. */
export function parseMount(text: string): MountText {
  const colon = text.lastIndexOf(":");
  const names = colon < 0 ? [] : text.slice(colon + 1).split(",");
  if (colon <= 0 || !names.every((name) => Object.hasOwn(FLAGS, name))) return { path: text, bind: false, flags: {} };
  const flags: MountOptions = Object.assign({}, ...names.map((name) => FLAGS[name]));
  return { path: text.slice(0, colon), bind: names.includes(BIND), flags };
}
