/** Ways to fill an arena. */
import { randomBelow } from "../../../cli/dist/support/random.js";
import { O_CREAT, O_RDWR } from "../../../threadfs/dist/abi/abi.js";
import { defined } from "../support/defined.js";
import { type AllocSession, must } from "./fixture.js";

const PAD = "n".repeat(200);

export interface Fill {
  prepare?(session: AllocSession): void;
  /** Makes the i-th object: >= 0, or -errno and nothing changed. It may note in `made` what remove() needs. */
  make(session: AllocSession, i: number, made: number[]): number;
  /** Removes it again: >= 0. */
  remove(session: AllocSession, i: number, made: number[]): number;
  /** No more than that many. */
  most?: number;
  /** Caches whose objects stay when all is removed: a context's blocks of descriptors. */
  keeps?: string[];
  /** Size of the arena; 2.25 MiB unless given. */
  bytes?: number;
  /** The last has to be removed first. */
  backwards?: boolean;
  /** It also takes the chunks reserved for open files, so that no file can be opened afterwards. */
  reserve?: boolean;
}

const make = (count: number, run: (session: AllocSession, i: number) => number) => (session: AllocSession) => {
  for (let i = 0; i < count; i++) must(run(session, i));
};
const unlink = (session: AllocSession, i: number) => session.unlink(`/f/${i}`);

/** Makes a file in two steps; removes what the first made when there is no room for the second. */
function contents(session: AllocSession, path: string, data: string): number {
  const result = session.file(path, data);
  if (result < 0) session.unlink(path);
  return result;
}

/** The i-th entry of what was made. */
const entry = (made: number[], i: number) => defined(made[i], `number ${i} that was made`);

export const FILLS = {
  "empty files": { make: (session, i) => session.mknod(`/f/${i}`, 0o100644), remove: unlink },
  "files of 100 bytes": { make: (session, i) => contents(session, `/f/${i}`, `${i} `.repeat(20)), remove: unlink },
  "files of 100,000 bytes": {
    make: (session, i) => contents(session, `/f/${i}`, `${i}`.repeat(20_000)),
    remove: unlink,
  },
  "pages of one file": {
    backwards: true,
    prepare: (session) => must(session.file("/f/one")),
    make(session, i) {
      const fd = session.open("/f/one", O_RDWR);
      if (fd < 0) return fd;
      const result = session.write(fd, i * 40_960, "p");
      session.close(fd);
      return result;
    },
    remove: (session, i) => session.truncate("/f/one", i * 40_960),
  },
  "long names": {
    make: (session, i) => session.mknod(`/f/${PAD}${i}`, 0o100644),
    remove: (session, i) => session.unlink(`/f/${PAD}${i}`),
  },
  directories: { make: (session, i) => session.mkdir(`/f/${i}`), remove: (session, i) => session.rmdir(`/f/${i}`) },
  "symbolic links": { make: (session, i) => session.symlink("t".repeat(60), `/f/${i}`), remove: unlink },
  "hard links": { make: (session, i) => session.link("/w/file", `/f/${i}`), remove: unlink },
  ACLs: {
    prepare: make(500, (session, i) => session.mknod(`/f/${i}`, 0o100644)),
    most: 500,
    make: (session, i) => session.setacl(`/f/${i}`, 500),
    remove: (session, i) => session.setacl(`/f/${i}`),
  },
  mounts: {
    prepare: make(1400, (session, i) => session.mkdir(`/f/${i}`)),
    most: 1400,
    make: (session, i) => session.mount(`/f/${i}`),
    remove: (session, i) => session.umount(`/f/${i}`),
  },
  "binds on files": {
    prepare: make(1400, (session, i) => session.mknod(`/f/${i}`, 0o100644)),
    most: 1400,
    make: (session, i) => session.bind("/w/file", `/f/${i}`),
    remove: (session, i) => session.umount(`/f/${i}`),
  },
  "contexts with groups": {
    make: (session, i, made) => keep(made, i, session.context(1000)),
    remove: (session, i, made) => session.core.contextDestroy(entry(made, i)),
  },
  descriptors: {
    reserve: true,
    keeps: ["size-1024"],
    make: (session, i, made) => keep(made, i, session.open("/w/file")),
    remove: (session, i, made) => session.close(entry(made, i)),
  },
  "open files without a name": {
    reserve: true,
    keeps: ["size-1024"],
    make(session, i, made) {
      const fd = session.open("/f/name", O_RDWR | O_CREAT);
      if (fd >= 0) must(session.unlink("/f/name"));
      return keep(made, i, fd);
    },
    remove: (session, i, made) => session.close(entry(made, i)),
  },
} satisfies Record<string, Fill>;

function keep(made: number[], i: number, result: number): number {
  made[i] = result;
  return result;
}

/** A fill that makes objects of random kinds, by a seed. */
export function mixed(seed: number): Fill {
  const all: Fill[] = Object.values(FILLS);
  const kinds = all.filter((fill) => fill.prepare === undefined && !fill.backwards);
  const next = randomBelow(seed);
  const chosen: Fill[] = [];
  const kind = (i: number) => {
    while (chosen.length <= i) chosen.push(defined(kinds[next(kinds.length)], "kind"));
    return defined(chosen[i], `kind of number ${i}`);
  };
  return {
    reserve: true,
    keeps: ["size-1024"],
    make: (session, i, made) => kind(i).make(session, i, made),
    remove: (session, i, made) => kind(i).remove(session, i, made),
  };
}
