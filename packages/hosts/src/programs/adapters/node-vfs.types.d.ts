/** What the programs use of node:vfs, for a build before the packages of the hosts, and the types of Node 26 with them, are installed. */
declare module "node:vfs" {
  export function create(provider: object, options?: object): { readFileSync(path: string, encoding: "utf8"): string };
}
