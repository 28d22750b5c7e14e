/**
 * Ways to fill an arena: make the i-th thing (>= 0, or -errno and nothing changed), remove it again (>= 0).
 *
 * @typedef {object} Fill
 * @property {(desk: import("./fixture.js").AllocSession) => void} [prepare]
 * @property {(desk: import("./fixture.js").AllocSession, i: number, made: number[]) => number} make its answer goes to `made`
 * @property {(desk: import("./fixture.js").AllocSession, i: number, made: number[]) => number} remove
 * @property {number} [most] no more than that many
 * @property {string[]} [keeps] caches whose objects stay when all is removed: a context's blocks of descriptors
 * @property {number} [bytes] size of the arena; 2.25 MiB unless given
 * @property {boolean} [backwards] the last has to be removed first
 * @property {boolean} [reserve] it takes what is kept for open files too, so that none can be opened afterwards
 */
import { randomBelow } from "../../../cli/dist/support/random.js";
import { must, O_CREAT, O_RDWR } from "./fixture.js";

const PAD = "n".repeat(200);
const make = (count, run) => (session) => {
  for (let i = 0; i < count; i++) must(run(session, i));
};
const unlink = (session, i) => session.unlink(`/f/${i}`);

/** Makes a file in two steps; what the first made goes when there is no room for the second. */
function contents(session, path, data) {
  const answer = session.file(path, data);
  if (answer < 0) session.unlink(path);
  return answer;
}

/** @type {Record<string, Fill>} */
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
      const answer = session.write(fd, i * 40_960, "p");
      session.close(fd);
      return answer;
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
    remove: (session, i, made) => session.core.contextDestroy(made[i]),
  },
  descriptors: {
    reserve: true,
    keeps: ["size-1024"],
    make: (session, i, made) => keep(made, i, session.open("/w/file")),
    remove: (session, i, made) => session.close(made[i]),
  },
  "open files without a name": {
    reserve: true,
    keeps: ["size-1024"],
    make(session, i, made) {
      const fd = session.open("/f/name", O_RDWR | O_CREAT);
      if (fd >= 0) must(session.unlink("/f/name"));
      return keep(made, i, fd);
    },
    remove: (session, i, made) => session.close(made[i]),
  },
};

function keep(made, i, answer) {
  made[i] = answer;
  return answer;
}

/** Fills by something else each time, as a seed says. */
export function mixed(seed) {
  const kinds = Object.values(FILLS).filter((fill) => fill.prepare === undefined && !fill.backwards);
  const next = randomBelow(seed);
  const chosen = [];
  const kind = (i) => {
    while (chosen.length <= i) chosen.push(kinds[next(kinds.length)]);
    return chosen[i];
  };
  return {
    reserve: true,
    keeps: ["size-1024"],
    make: (session, i, made) => kind(i).make(session, i, made),
    remove: (session, i, made) => kind(i).remove(session, i, made),
  };
}
