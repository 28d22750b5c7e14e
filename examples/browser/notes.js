/** What the page and the workers have in common. */

/** The folder that they change. */
export const NOTES = "/notes";

/** The threads, by the user that each is: files show who has made them. */
export const USERS = { page: 0, ann: 1001, ben: 1002 };

/** Whose file it is. */
export const ownerOf = (uid) => Object.keys(USERS).find((name) => USERS[name] === uid);
