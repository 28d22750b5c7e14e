/**
 * Ways to fill an arena: make the i-th thing (>= 0, or -errno and nothing changed), remove it again (>= 0).
 *
 * @typedef {object} Fill
 * @property {(desk: import("./fixture.js").Desk) => void} [prepare]
 * @property {(desk: import("./fixture.js").Desk, i: number, made: number[]) => number} make its answer goes to `made`
 * @property {(desk: import("./fixture.js").Desk, i: number, made: number[]) => number} remove
 * @property {number} [most] no more than that many
 * @property {string[]} [keeps] caches whose objects stay when all is removed: a context's blocks of descriptors
 * @property {number} [bytes] size of the arena; 2.25 MiB unless given
 * @property {boolean} [backwards] the last has to be removed first
 * @property {boolean} [reserve] it takes what is kept for open files too, so that none can be opened afterwards
 */
import { randomBelow } from "../support/random.js";
import { must, O_CREAT, O_RDWR } from "./fixture.js";

const PAD = "n".repeat(200);
const make = (count, run) => (desk) => {
  for (let i = 0; i < count; i++) must(run(desk, i));
};
const unlink = (desk, i) => desk.unlink(`/f/${i}`);

/** Makes a file in two steps; what the first made goes when there is no room for the second. */
function contents(desk, path, data) {
  const answer = desk.file(path, data);
  if (answer < 0) desk.unlink(path);
  return answer;
}

/** @type {Record<string, Fill>} */
export const FILLS = {
  "empty files": { make: (desk, i) => desk.mknod(`/f/${i}`, 0o100644), remove: unlink },
  "files of 100 bytes": { make: (desk, i) => contents(desk, `/f/${i}`, `${i} `.repeat(20)), remove: unlink },
  "files of 100,000 bytes": { make: (desk, i) => contents(desk, `/f/${i}`, `${i}`.repeat(20_000)), remove: unlink },
  "pages of one file": {
    backwards: true,
    prepare: (desk) => must(desk.file("/f/one")),
    make(desk, i) {
      const fd = desk.open("/f/one", O_RDWR);
      if (fd < 0) return fd;
      const answer = desk.write(fd, i * 40_960, "p");
      desk.close(fd);
      return answer;
    },
    remove: (desk, i) => desk.truncate("/f/one", i * 40_960),
  },
  "long names": {
    make: (desk, i) => desk.mknod(`/f/${PAD}${i}`, 0o100644),
    remove: (desk, i) => desk.unlink(`/f/${PAD}${i}`),
  },
  directories: { make: (desk, i) => desk.mkdir(`/f/${i}`), remove: (desk, i) => desk.rmdir(`/f/${i}`) },
  "symbolic links": { make: (desk, i) => desk.symlink("t".repeat(60), `/f/${i}`), remove: unlink },
  "hard links": { make: (desk, i) => desk.link("/w/file", `/f/${i}`), remove: unlink },
  ACLs: {
    prepare: make(500, (desk, i) => desk.mknod(`/f/${i}`, 0o100644)),
    most: 500,
    make: (desk, i) => desk.setacl(`/f/${i}`, 500),
    remove: (desk, i) => desk.setacl(`/f/${i}`),
  },
  mounts: {
    prepare: make(1400, (desk, i) => desk.mkdir(`/f/${i}`)),
    most: 1400,
    make: (desk, i) => desk.mount(`/f/${i}`),
    remove: (desk, i) => desk.umount(`/f/${i}`),
  },
  "binds on files": {
    prepare: make(1400, (desk, i) => desk.mknod(`/f/${i}`, 0o100644)),
    most: 1400,
    make: (desk, i) => desk.bind("/w/file", `/f/${i}`),
    remove: (desk, i) => desk.umount(`/f/${i}`),
  },
  "contexts with groups": {
    make: (desk, i, made) => keep(made, i, desk.context(1000)),
    remove: (desk, i, made) => desk.core.contextDestroy(made[i]),
  },
  descriptors: {
    reserve: true,
    keeps: ["size-1024"],
    make: (desk, i, made) => keep(made, i, desk.open("/w/file")),
    remove: (desk, i, made) => desk.close(made[i]),
  },
  "open files without a name": {
    reserve: true,
    keeps: ["size-1024"],
    make(desk, i, made) {
      const fd = desk.open("/f/name", O_RDWR | O_CREAT);
      if (fd >= 0) must(desk.unlink("/f/name"));
      return keep(made, i, fd);
    },
    remove: (desk, i, made) => desk.close(made[i]),
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
    make: (desk, i, made) => kind(i).make(desk, i, made),
    remove: (desk, i, made) => kind(i).remove(desk, i, made),
  };
}
