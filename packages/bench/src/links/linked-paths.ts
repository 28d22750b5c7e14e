// Paths over symbolic links, and the trees that they lead through.

import type { FsSync } from "threadfs";

/** Paths over links, by what is on the way. */
export const LINKED_PATHS: Record<string, string> = {
  "two links, as in a tree of pnpm": "/pnpm/project/packages/package-17/node_modules/dep-112/lib/file-2.js",
  "eight links": `/eight${Array.from({ length: 8 }, (_, n) => `/link-${n}`).join("")}/file-2.js`,
};

/** A package of a workspace and its dependency in pnpm's store; and directories, each with a link to the next one. */
export function makeLinks(fs: FsSync): void {
  const store = "/pnpm/project/node_modules/.pnpm";
  const dep = `${store}/dep-112@1.0.0/node_modules/dep-112`;
  for (const dir of [`${dep}/lib`, "/pnpm/project/apps/package-17/node_modules", "/pnpm/project/packages"]) {
    fs.mkdirSync(dir, { recursive: true });
  }
  fs.symlinkSync("../apps/package-17", "/pnpm/project/packages/package-17");
  fs.symlinkSync(
    "../../../node_modules/.pnpm/dep-112@1.0.0/node_modules/dep-112",
    "/pnpm/project/apps/package-17/node_modules/dep-112",
  );
  let directory = "/eight";
  fs.mkdirSync(directory);
  for (let n = 0; n < 8; n++) {
    fs.symlinkSync(`dir-${n}`, `${directory}/link-${n}`);
    directory += `/dir-${n}`;
    fs.mkdirSync(directory);
  }
  for (const dir of [`${dep}/lib`, directory]) fs.closeSync(fs.openSync(`${dir}/file-2.js`, "w"));
}

/** The file of each of `count` packages of a pnpm tree: over two links, by a package of the workspace, and in the store. */
export function makePackages(fs: FsSync, count: number): { linked: string[]; stored: string[] } {
  const top = `/pnpm-${count}`;
  const links = `${top}/packages/app/node_modules`;
  for (const dir of [`${top}/node_modules`, links]) fs.mkdirSync(dir, { recursive: true });
  fs.symlinkSync("../packages/app", `${top}/node_modules/app`);
  const packages = Array.from({ length: count }, (_, n) => {
    const place = `node_modules/.pnpm/dep-${n}@1.0.0/node_modules/dep-${n}`;
    fs.mkdirSync(`${top}/${place}/lib`, { recursive: true });
    fs.closeSync(fs.openSync(`${top}/${place}/lib/file.js`, "w"));
    fs.symlinkSync(`../../../${place}`, `${links}/dep-${n}`);
    return {
      linked: `${top}/node_modules/app/node_modules/dep-${n}/lib/file.js`,
      stored: `${top}/${place}/lib/file.js`,
    };
  });
  return { linked: packages.map(({ linked }) => linked), stored: packages.map(({ stored }) => stored) };
}
