/** The text of an ACL, as setfacl(1) takes it with `-m`: `u:1000:r-x,g::r,m::rx,d:o::-`. Users and groups are numbers: a tree knows no names. */
import { ACL_TAG, type AclEntry } from "threadfs";

/** Access and default entries. */
export interface ParsedAcl {
  access: AclEntry[];
  default: AclEntry[];
}

const LETTERS = { r: 4, w: 2, x: 1, "-": 0 } as const;
const MAX_ID = 2 ** 32 - 2;

type Kind = "u" | "g" | "o" | "m";
const KINDS: Readonly<Record<string, Kind>> = {
  ...{ u: "u", user: "u", g: "g", group: "g", o: "o", other: "o", m: "m", mask: "m" },
};
/** The tag of an entry without a number, and with one. */
const TAGS: Readonly<Record<Kind, readonly [without: number, withId?: number]>> = {
  u: [ACL_TAG.USER_OBJ, ACL_TAG.USER],
  g: [ACL_TAG.GROUP_OBJ, ACL_TAG.GROUP],
  o: [ACL_TAG.OTHER],
  m: [ACL_TAG.MASK],
};
const DEFAULTS: ReadonlySet<string> = new Set(["d", "default"]);

/** Permissions as letters in any order, or as one digit. undefined: they are neither. */
function permOf(text: string): number | undefined {
  if (/^[0-7]$/.test(text)) return Number(text);
  if (!/^[rwx-]{1,3}$/.test(text)) return undefined;
  return [...text].reduce((perm, letter) => perm | LETTERS[letter as keyof typeof LETTERS], 0);
}

/** @throws Error what is wrong with an entry */
export function parseAcl(text: string): ParsedAcl {
  const parsed: ParsedAcl = { access: [], default: [] };
  for (const part of text.split(",")) {
    const fields = part.trim().split(":");
    const isDefault = DEFAULTS.has(fields[0] ?? "");
    if (isDefault) fields.shift();
    const kind = KINDS[fields[0] ?? ""];
    const [, id = "", rights = ""] = fields;
    const perm = permOf(rights);
    const wrong = (why: string): Error => new Error(`"${part}" is no entry of an ACL: ${why}`);
    if (kind === undefined || fields.length !== 3)
      throw wrong("it is like u:1000:rwx, g::r-x, m::rx or o::-, or d: and one");
    if (perm === undefined) throw wrong("permissions are some of r, w, x and -, or a digit");
    const [without, withId] = TAGS[kind];
    if (id === "") parsed[isDefault ? "default" : "access"].push({ tag: without, perm });
    else if (withId === undefined) throw wrong(`${fields[0]} takes no number`);
    else if (!/^\d+$/.test(id) || Number(id) > MAX_ID) throw wrong(`a user or a group is a number up to ${MAX_ID}`);
    else parsed[isDefault ? "default" : "access"].push({ tag: withId, id: Number(id), perm });
  }
  return parsed;
}

const NAMED: ReadonlySet<number> = new Set([ACL_TAG.USER, ACL_TAG.GROUP]);
const GROUP_CLASS: ReadonlySet<number> = new Set([ACL_TAG.USER, ACL_TAG.GROUP, ACL_TAG.GROUP_OBJ]);

/** The order that acl(5) asks for: by tag, then by number. */
const inOrder = (a: AclEntry, b: AclEntry): number => a.tag - b.tag || (a.id ?? 0) - (b.id ?? 0);

/**
 * Entries as an ACL needs them, as setfacl(1) completes them: what the mode bits say of owner, group and others where no entry does, and a mask that limits nothing where an entry needs
 * one.
 */
export function completeAcl(entries: readonly AclEntry[], mode: number): AclEntry[] {
  const all = [...entries];
  const has = (tag: number): boolean => all.some((entry) => entry.tag === tag);
  for (const [tag, shift] of [
    [ACL_TAG.USER_OBJ, 6],
    [ACL_TAG.GROUP_OBJ, 3],
    [ACL_TAG.OTHER, 0],
  ] as const) {
    if (!has(tag)) all.push({ tag, perm: (mode >> shift) & 7 });
  }
  if (!has(ACL_TAG.MASK) && all.some(({ tag }) => NAMED.has(tag))) {
    const perm = all.filter(({ tag }) => GROUP_CLASS.has(tag)).reduce((union, one) => union | one.perm, 0);
    all.push({ tag: ACL_TAG.MASK, perm });
  }
  return all.sort(inOrder);
}
