/**
 * Pipes, sockets and devices as names: the calls of `node:fs` on them, by the superuser and by others, do what they do on the kernel. On
 * the kernel the programs mkfifo and mknod make pipes and devices, and a process that ends at once the sockets. No call opens a pipe, which
 * would wait. The device is a whiteout, which any user may make.
 */
import { execFileSync } from "node:child_process";
import nodeFs, { constants } from "node:fs";
import { describe } from "node:test";
import { type FsCalls, unchecked } from "../../../support/fs-calls.js";
import { outcome } from "../../../support/oracle/works.js";
import { suite } from "../both.js";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

const tree = suite(import.meta.url, (fs, dir) => {
  fs.chmodSync(dir, 0o777);
  makeSpecial(fs, `${dir}/fifo`);
  makeSpecial(fs, `${dir}/socket`);
  makeSpecial(fs, `${dir}/device`);
  fs.mkdirSync(`${dir}/d`);
  fs.writeFileSync(`${dir}/f`, "");
  for (const name of KINDS) fs.symlinkSync(name, `${dir}/to-${name}`);
});

const KINDS = ["fifo", "socket", "device"] as const;

const LISTENS = "require('net').createServer().listen(process.argv[1], () => process.exit())";

/** Makes a pipe, a device or a socket, by the end of its path, with mode 0o644 or 0o755. */
function makeSpecial(fs: FsCalls, path: string): void {
  const isPipe = path.endsWith("fifo");
  const isDevice = path.endsWith("device");
  if (fs !== nodeFs) {
    if (isPipe) tree.vfs.linux.mkfifoSync(path);
    else if (isDevice) tree.vfs.linux.mknodSync(path, constants.S_IFCHR | 0o644);
    else tree.vfs.linux.mknodSync(path, constants.S_IFSOCK | 0o755);
  } else if (isPipe) {
    execFileSync("mkfifo", [path]);
  } else if (isDevice) {
    execFileSync("mknod", [path, "c", "0", "0"]);
  } else {
    execFileSync(process.execPath, ["-e", LISTENS, path]);
  }
}

/** What each call is, on a path of a special file. */
function calls(fs: FsCalls, dir: string, name: string): Readonly<Record<string, () => unknown>> {
  const path = `${dir}/${name}`;
  const all = unchecked(fs) as unknown as { readonly [name: string]: (...given: readonly unknown[]) => unknown };
  const types = () => {
    const stat = fs.lstatSync(path);
    return [
      stat.isFIFO(),
      stat.isSocket(),
      stat.isCharacterDevice(),
      stat.rdev,
      stat.isFile(),
      stat.mode.toString(8),
      stat.nlink,
      stat.size,
      stat.uid,
    ];
  };
  return {
    types,
    stat: () => fs.statSync(`${dir}/to-${name}`).mode,
    access: () => fs.accessSync(path, constants.R_OK | constants.W_OK),
    execute: () => fs.accessSync(path, constants.X_OK),
    chmod: () => fs.chmodSync(path, 0o4711),
    "chmod through a link": () => fs.chmodSync(`${dir}/to-${name}`, 0o640),
    utimes: () => fs.utimesSync(path, 5, 6),
    lutimes: () => fs.lutimesSync(path, 7, 8),
    times: () => [fs.statSync(path).atimeMs, fs.statSync(path).mtimeMs],
    chown: () => fs.chownSync(path, 1000, 1000),
    "types after chown": types,
    lchown: () => fs.lchownSync(path, 0, 0),
    "exclusive open": () => fs.openSync(path, O_CREAT | O_EXCL | O_WRONLY),
    "open as a directory": () => fs.openSync(path, O_DIRECTORY),
    "open by a link, not to be followed": () => fs.openSync(`${dir}/to-${name}`, O_NOFOLLOW),
    // The kernel's file system may be mounted with nodev, where the error is another one.
    "open without a reader": () => name === "device" || fs.openSync(path, O_WRONLY | O_NONBLOCK),
    "through it": () => fs.statSync(`${path}/x`),
    "with a slash": () => fs.statSync(`${path}/`),
    readlink: () => fs.readlinkSync(path),
    opendir: () => fs.opendirSync(path),
    readdir: () => fs.readdirSync(path),
    mkdir: () => fs.mkdirSync(path),
    "mkdir, recursive": () => fs.mkdirSync(path, { recursive: true }),
    "mkdir below it": () => fs.mkdirSync(`${path}/x/y`, { recursive: true }),
    rmdir: () => fs.rmdirSync(path),
    realpath: () => fs.realpathSync(`${dir}/to-${name}`).slice(dir.length),
    listing: () =>
      fs
        .readdirSync(dir, { withFileTypes: true })
        .map((entry) => [entry.name, entry.isFIFO(), entry.isSocket(), entry.isFile()])
        .sort(),
    link: () => fs.linkSync(path, `${dir}/second-${name}`),
    "types with two names": types,
    "rename over a file": () => fs.renameSync(path, `${dir}/f`),
    "rename back": () => fs.renameSync(`${dir}/f`, path),
    "rename over a directory": () => fs.renameSync(path, `${dir}/d`),
    "rename of a directory over it": () => fs.renameSync(`${dir}/d`, path),
    "rename to its other name": () => fs.renameSync(path, `${dir}/second-${name}`),
    "a file renamed over it": () => {
      fs.writeFileSync(`${dir}/g`, "");
      fs.renameSync(`${dir}/g`, `${dir}/second-${name}`);
    },
    cp: () => name === "device" || fs.cpSync(path, `${dir}/copy`),
    "cp of a tree": () => {
      fs.mkdirSync(`${dir}/t`);
      makeSpecial(fs, `${dir}/t/${name}`);
      fs.cpSync(`${dir}/t`, `${dir}/u`, { recursive: true });
    },
    unlink: () => fs.unlinkSync(path),
    "rm of a tree": () => all.rmSync?.(`${dir}/t`, { recursive: true }),
    "what is left": () => fs.readdirSync(dir).sort(),
  };
}

/** Of a socket only: a pipe would wait. */
function opening(fs: FsCalls, path: string): Readonly<Record<string, () => unknown>> {
  return {
    open: () => fs.openSync(path),
    truncate: () => fs.truncateSync(path, 5),
    readFile: () => fs.readFileSync(path),
    writeFile: () => fs.writeFileSync(path, "x"),
    appendFile: () => fs.appendFileSync(path, "x"),
    copyFile: () => fs.copyFileSync(path, `${path}-copy`),
  };
}

function outcomes(made: Readonly<Record<string, () => unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(made).map(([title, call]) => [title, outcome(call)]));
}

const skip = process.getuid?.() === 0 ? false : "needs root to give files away";

describe("a name of a pipe, a socket or a device", { skip }, () => {
  for (const name of KINDS) {
    tree.sameEach(`${name}: every call by its maker`, (fs, dir) => outcomes(calls(fs, dir, name)));

    tree.sameEach(`${name}: every call by another user, who may write its directory`, (fs, dir) => {
      const other = `${dir}/other`;
      fs.mkdirSync(other);
      return tree.asUser(fs, other, async (own) => {
        const titles = Object.entries(outcomes(calls(own, dir, name)));
        // access(2) goes by the real user there, times are those of the clock, and many kernels are configured to refuse the link.
        const isOut = (title: string) => /^(access|execute|times)$/.test(title);
        return Object.fromEntries(
          titles
            .slice(
              0,
              titles.findIndex(([title]) => title === "link"),
            )
            .filter(([title]) => !isOut(title)),
        );
      });
    });
  }

  tree.sameEach("socket: calls that open it", (fs, dir) => outcomes(opening(fs, `${dir}/socket`)));
});
