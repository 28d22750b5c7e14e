/** Credentials that may do everything, with umask 0, so that created files have the modes they are given. */
export const PRIVILEGED = { uid: 0, gid: 0, groups: [], umask: 0, cwd: "/", root: "/" };
