/**
 * Damage to an arena: what a hostile thread may do to the memory that it shares. Each kind changes some words at random, and
 * notes which.
 */
import type { Random } from "../../../cli/dist/support/random.js";
import * as L from "../arena/layout.js";
import { defined } from "../support/defined.js";

const { Dentry, Inode, Mount, SuperBlock, File, Context } = L.CLASSES;

interface Field {
  name: string;
  offset: number;
}

/** Fields of objects, by the number of their cache. */
type Table = ReadonlyMap<number, readonly Field[]>;

/** The fields of a class that have these names. */
function fieldsOf<Name extends string>(offsets: Record<Name, number>, ...names: NoInfer<Name>[]): Field[] {
  return names.map((name) => ({ name, offset: offsets[name] }));
}

/** Pointers in each class. */
const POINTERS: Table = new Map([
  [
    L.CACHE_DENTRY,
    fieldsOf(
      Dentry,
      "parent",
      "inode",
      "next",
      "sb",
      "sibNext",
      "sibPrev",
      "firstChild",
      "lastChild",
      "lruNext",
      "lruPrev",
    ),
  ],
  [L.CACHE_INODE, fieldsOf(Inode, "sb", "alias", "data", "acl", "hashNext", "rcuNext")],
  [L.CACHE_MOUNT, fieldsOf(Mount, "parent", "mountpoint", "root", "sb", "hashNext", "allNext", "allPrev", "rcuNext")],
  [L.CACHE_SUPER, fieldsOf(SuperBlock, "root", "rcuNext")],
  [L.CACHE_FILE, fieldsOf(File, "mnt", "dentry", "inode", "hint", "rcuNext")],
  [L.CACHE_CONTEXT, fieldsOf(Context, "rootMnt", "root", "pwdMnt", "pwd", "groups", "rcuNext")],
]);
/** Lists, by the field that leads on: a ring is made of each. */
const LINKS: Table = new Map([
  [L.CACHE_DENTRY, fieldsOf(Dentry, "next", "sibNext", "sibPrev", "firstChild", "lruNext", "lruPrev", "parent")],
  [L.CACHE_INODE, fieldsOf(Inode, "hashNext", "rcuNext")],
  [L.CACHE_MOUNT, fieldsOf(Mount, "hashNext", "allNext", "parent", "rcuNext")],
  [L.CACHE_SUPER, fieldsOf(SuperBlock, "rcuNext")],
  [L.CACHE_FILE, fieldsOf(File, "rcuNext")],
  [L.CACHE_CONTEXT, fieldsOf(Context, "rcuNext")],
]);
/** Counts, sizes and other numbers that loops run to. */
const NUMBERS: Table = new Map([
  [L.CACHE_DENTRY, fieldsOf(Dentry, "lockref", "hashLen", "flags", "cookie", "nrChildren", "mounts")],
  [L.CACHE_INODE, fieldsOf(Inode, "mode", "nlink", "size", "pages", "shape", "count", "generation", "ino64")],
  [L.CACHE_MOUNT, fieldsOf(Mount, "count", "flags", "nrChildren")],
  [L.CACHE_SUPER, fieldsOf(SuperBlock, "driver", "hooks", "dflags", "active", "readonly")],
  [L.CACHE_FILE, fieldsOf(File, "count", "flags", "pos", "mode", "lastCookie")],
  [L.CACHE_CONTEXT, fieldsOf(Context, "number", "ngroups", "fdHint", "users", "caps")],
]);
const LOCKS: Table = new Map([
  [L.CACHE_DENTRY, fieldsOf(Dentry, "lockref", "childLock")],
  [L.CACHE_INODE, fieldsOf(Inode, "mutex", "lock")],
  [L.CACHE_SUPER, fieldsOf(SuperBlock, "renameMutex")],
  [L.CACHE_FILE, fieldsOf(File, "posLock")],
  [L.CACHE_CONTEXT, fieldsOf(Context, "lock", "fdLock")],
]);
const SEQUENCES: Table = new Map([
  [L.CACHE_DENTRY, fieldsOf(Dentry, "seq", "dirSeq")],
  [L.CACHE_INODE, fieldsOf(Inode, "seq")],
  [L.CACHE_CONTEXT, fieldsOf(Context, "seq")],
]);
/** Numbers of the fixed part that loops run to, and heads of lists. */
const COUNTS = {
  G_HASH_N: L.G_HASH_N,
  G_HASH_MASK: L.G_HASH_MASK,
  G_HASH_COUNT: L.G_HASH_COUNT,
  SLOT_RCU_COUNT: L.SLOTS + L.SLOT_RCU_COUNT,
  SLOT_RCU_SINCE: L.SLOTS + L.SLOT_RCU_SINCE,
  "sheaf of dentries": L.SLOTS + L.SLOT_SHEAVES + L.SHEAF_SIZE,
  "sheaf of inodes": L.SLOTS + L.SLOT_SHEAVES + L.SHEAF_BYTES + L.SHEAF_SIZE,
  SLOT_HASH_COUNT: L.SLOTS + L.SLOT_HASH_COUNT,
  SLOT_NR_FILES: L.SLOTS + L.SLOT_NR_FILES,
  "number of unused dentries": L.G_LRU_LISTS + L.LRU_COUNT,
  G_MAX_POSITIVE: L.G_MAX_POSITIVE,
  G_MAX_NEGATIVE: L.G_MAX_NEGATIVE,
  G_SLOTS_USED: L.G_SLOTS_USED,
  G_PAGE_BUMP: L.G_PAGE_BUMP,
  G_PAGE_USED: L.G_PAGE_USED,
  G_NR_FILES: L.G_NR_FILES,
  G_EPOCH: L.G_EPOCH,
  G_CTX_MADE: L.G_CTX_MADE,
};
const SIZES = {
  H_MAX_CHUNKS: L.H_MAX_CHUNKS,
  H_CHUNK_TABLE: L.H_CHUNK_TABLE,
  H_BUCKETS: L.H_BUCKETS,
  H_MAX_BUCKETS: L.H_MAX_BUCKETS,
  H_FIRST_CHUNK: L.H_FIRST_CHUNK,
};
const HEADS = {
  SLOT_RCU_HEAD: L.SLOTS + L.SLOT_RCU_HEAD,
  SLOT_RCU_TAIL: L.SLOTS + L.SLOT_RCU_TAIL,
  "first dentry on a sheaf": L.SLOTS + L.SLOT_SHEAVES,
  "first file on a sheaf": L.SLOTS + L.SLOT_SHEAVES + 2 * L.SHEAF_BYTES,
  "first unused dentry": L.G_LRU_LISTS + L.LRU_HEAD,
  "last unused dentry": L.G_LRU_LISTS + L.LRU_TAIL,
  G_PAGE_FREE: L.G_PAGE_FREE,
  G_ROOT_MNT: L.G_ROOT_MNT,
  G_MOUNTS: L.G_MOUNTS,
};
/** Values at the limits of comparisons, counters and multiplications. */
const VALUES = [
  0, 1, 2, 3, 0x7f, 0xff, 0x1000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0x80000003, 0xfffffffe, 0xffffffff,
];

const cacheOf = (number: number) => defined(L.CACHES[number], `cache ${number}`);

/** The kinds of damage. */
export const KINDS = [
  "bit",
  "word",
  "pointer",
  "swapped",
  "ring",
  "freeRing",
  "pages",
  "number",
  "global",
  "lock",
  "sequence",
  "slot",
] as const;

/** The words of an arena, and where its objects are; a method for each kind of damage. */
export class Corruption {
  /** What was changed, in order. */
  readonly said: string[] = [];
  readonly #words: Uint32Array;
  readonly #next: Random;
  /** Addresses of all objects that were ever allocated, by their cache. */
  readonly #objects: Map<number, number[]>;

  /** @param end bytes of the arena */
  constructor(buffer: ArrayBufferLike, end: number, next: Random) {
    this.#words = new Uint32Array(buffer, 0, end >>> 2);
    this.#next = next;
    this.#objects = this.#find(end);
  }

  /** The word at an address; 0 behind the end, since damaged words lead anywhere. */
  #word(address: number): number {
    return this.#words[address >>> 2] ?? 0;
  }

  #find(end: number): Map<number, number[]> {
    const objects = new Map<number, number[]>();
    const table = this.#word(L.H_CHUNK_TABLE);
    for (let chunk = 0; chunk < end / L.CHUNK; chunk++) {
      const entry = table + chunk * L.CHUNK_ENTRY;
      const cache = this.#word(entry);
      if (cache === 0) continue;
      const list = objects.get(cache) ?? [];
      const { size } = cacheOf(cache);
      for (let at = 0; at < this.#word(entry + L.ENTRY_NEVER_USED); at += size) list.push(chunk * L.CHUNK + at);
      objects.set(cache, list);
    }
    return objects;
  }

  /** A random member of a list that is not empty. */
  #pick<T>(list: readonly T[]): T {
    return defined(list[this.#next(list.length)], "member of an empty list");
  }

  /** Damage of a random kind. */
  any(): void {
    this[this.#pick(KINDS)]();
  }

  /** The objects of a cache. */
  #of(cache: number): number[] {
    return this.#objects.get(cache) ?? [];
  }

  /** A random object of one of these caches. */
  #object(caches: Iterable<number>): [cache: number, object: number] {
    const cache = this.#pick([...caches].filter((one) => this.#of(one).length > 0));
    return [cache, this.#pick(this.#of(cache))];
  }

  #set(address: number, value: number, what: string): void {
    const at = (address >>> 2) % this.#words.length;
    this.said.push(`${what}: ${at * 4} was ${this.#word(at * 4).toString(16)}, is ${(value >>> 0).toString(16)}`);
    this.#words[at] = value >>> 0;
  }

  /** A field of a random object among those that a table names: its cache, address and name. */
  #field(table: Table): { cache: number; object: number; name: string; address: number } {
    const [cache, object] = this.#object(table.keys());
    const { name, offset } = this.#pick(defined(table.get(cache), "fields"));
    return { cache, object, name: `${cacheOf(cache).name}.${name}`, address: object + offset };
  }

  /** A word that is in use: of the fixed part, of the chunk table, or of an object. */
  #anyWord(): number {
    const where = this.#next(8);
    if (where === 0) return L.H_MAX_CHUNKS + this.#next(2048) * 4;
    if (where === 1) return L.G_CACHES + this.#next((L.CACHE_SLOTS * L.KMEM_CACHE_SIZE) / 4) * 4;
    if (where === 2) return this.#word(L.H_CHUNK_TABLE) + this.#next(256) * 4;
    if (where === 3) return L.MOUNT_HEADS + this.#next(4096) * 4;
    const [cache, object] = this.#object(this.#objects.keys());
    return object + this.#next(cacheOf(cache).size / 4) * 4;
  }

  bit(): void {
    const address = this.#anyWord();
    this.#set(address, this.#word(((address >>> 2) % this.#words.length) * 4) ^ (1 << this.#next(32)), "a bit flipped");
  }

  word(): void {
    this.#set(this.#anyWord(), this.#next(2) ? this.#next(0x100000000) : this.#pick(VALUES), "a word replaced");
  }

  /** A pointer that leads to another object, of the same kind or any other, or into the middle of one. */
  pointer(): void {
    const { address, name } = this.#field(POINTERS);
    const [, object] = this.#object(this.#objects.keys());
    this.#set(address, object + (this.#next(4) === 0 ? this.#next(64) * 4 : 0), `${name} led elsewhere`);
  }

  swapped(): void {
    const a = this.#field(POINTERS);
    const b = this.#field(POINTERS);
    const [x, y] = [this.#word(a.address), this.#word(b.address)];
    this.#set(a.address, y, `${a.name} exchanged`);
    this.#set(b.address, x, `with ${b.name}`);
  }

  /** A list that leads back to itself, at once or over another of its kind. */
  ring(): void {
    const { cache, object, name, address } = this.#field(LINKS);
    const other = this.#next(2) ? object : this.#pick(this.#of(cache));
    this.#set(address, other, `${name} of ${object} in a ring`);
    if (other !== object) this.#set(other + (address - object), object, "and back");
  }

  /** A free list in a ring: of a chunk's objects, of a cache's chunks, of the free chunks. */
  freeRing(): void {
    const [cache, object] = this.#object(this.#objects.keys());
    const table = this.#word(L.H_CHUNK_TABLE);
    const chunk = object >>> L.CHUNK_SHIFT;
    const entry = table + chunk * L.CHUNK_ENTRY;
    const what = this.#next(3);
    if (what === 0) {
      this.#set(object + cacheOf(cache).link, object, "a free object led to itself");
      this.#set(entry + L.ENTRY_FREE, object, "as the first of its chunk");
    } else if (what === 1) this.#set(entry + L.ENTRY_NEXT, chunk, "a chunk with room led to itself");
    else {
      this.#set(L.G_PAGE_FREE, chunk, "a chunk in use freed");
      this.#set(entry + L.ENTRY_NEXT, chunk, "and led to itself");
    }
  }

  /** The tree of a file's pages in a ring, and deeper than it can be. */
  pages(): void {
    const inodes = this.#of(L.CACHE_INODE).filter((i) => this.#word(i + Inode.shape) & L.RADIX);
    if (inodes.length === 0) return;
    const inode = this.#pick(inodes);
    const node = this.#word(inode + Inode.data);
    this.#set(node + this.#next(8) * 4, node, "a node of pages led to itself");
    if (this.#next(2))
      this.#set(
        inode + Inode.shape,
        0x80000000 + this.#pick([0, 1, 0x401, 0xa02, 0xa03, 0xa04, 0xb01, 0x1f01, 0x7fffffff]),
        "levels",
      );
  }

  number(): void {
    const { address, name } = this.#field(NUMBERS);
    const high =
      name === "dentry.hashLen" || name === "dentry.lockref" || name === "inode.size" ? this.#next(2) * 4 : 0;
    this.#set(address + high, this.#pick(VALUES), name);
  }

  /** Counts, sizes and heads of the fixed part. */
  global(): void {
    const [name, address] = this.#pick(Object.entries({ ...COUNTS, ...SIZES, ...HEADS }));
    const [, object] = this.#object(this.#objects.keys());
    this.#set(address, name in HEADS ? object : this.#pick(VALUES), name);
  }

  /** A lock taken by no thread that is alive. */
  lock(): void {
    const owner = this.#pick([1, 7, 0x80000007, 0xffffffff]);
    if (this.#next(3) === 0) {
      const [name, address] = this.#pick(Object.entries(L.LOCKS));
      this.#set(address, owner, name);
      return;
    }
    const { address, name } = this.#field(LOCKS);
    this.#set(address, owner, `${name} taken`);
  }

  /** A sequence that is odd although no change is in progress. */
  sequence(): void {
    if (this.#next(4) === 0) {
      const [name, address] = this.#pick(Object.entries(L.SEQUENCES));
      this.#set(address, this.#word(address) | 1, `${name} odd`);
      return;
    }
    const { address, name } = this.#field(SEQUENCES);
    this.#set(address, this.#word(address) | 1, `${name} odd`);
  }

  /** A word of a thread's slot. */
  slot(): void {
    const slot = L.SLOTS + this.#next(4) * L.SLOT_SIZE;
    const at = this.#pick([L.SLOT_EPOCH, L.SLOT_STATE, L.SLOT_SCRATCH, L.SLOT_CONTEXT, 72, 80, 84, L.SLOT_LISTS_LOCK]);
    const [, object] = this.#object(this.#objects.keys());
    this.#set(slot + at, this.#next(2) ? this.#pick(VALUES) : object, `word ${at} of a slot`);
  }
}
