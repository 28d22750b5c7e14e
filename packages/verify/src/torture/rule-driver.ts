/** A driver without state: its nodes follow from their names by a rule, so every thread may register a driver of its own. */
import { S_IFDIR, S_IFREG } from "../../../threadfs/dist/abi/abi.js";
import type { Driver } from "../../../threadfs/dist/src/index.js";

const ROOT = 1;

/** The attributes of a node: they follow from its owner. */
function attributes(ino: number, mode: number, uid: number) {
  return { ino, mode, uid, gid: uid ^ 0xff, size: uid, mtimeMs: uid * 1000 };
}

/** Any `f<n>` is a file of owner n, any `d<n>` a directory with the same inside. */
export function ruleDriver(): Driver {
  return {
    name: "rule",
    root: () => attributes(ROOT, S_IFDIR | 0o755, 0),
    lookup(dir, name) {
      const n = Number(name.slice(1));
      if (!(n >= 0)) return null;
      if (name.startsWith("f")) return attributes(dir * 8192 + n * 2 + 2, S_IFREG | 0o644, n);
      if (name.startsWith("d") && dir === ROOT) return attributes(n * 2 + 3, S_IFDIR | 0o755, n);
      return null;
    },
  };
}
