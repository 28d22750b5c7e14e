/**
 * Damage to an arena: what a hostile thread may do to the memory that it shares. Each kind takes a view of the memory and a source of
 * random numbers, changes some words, and says which.
 */
import * as L from "../arena/layout.js";

const { Dentry, Inode, Mount, SuperBlock, File, Context } = L.CLASSES;

/** Pointers in each class, by name. */
const POINTERS = {
  [L.CACHE_DENTRY]: [
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
    "aliasNext",
  ],
  [L.CACHE_INODE]: ["sb", "alias", "data", "acl", "hashNext", "rcuNext"],
  [L.CACHE_MOUNT]: ["parent", "mountpoint", "root", "sb", "hashNext", "allNext", "allPrev", "rcuNext"],
  [L.CACHE_SUPER]: ["root", "rcuNext"],
  [L.CACHE_FILE]: ["mnt", "dentry", "inode", "hint", "rcuNext"],
  [L.CACHE_CONTEXT]: ["rootMnt", "root", "pwdMnt", "pwd", "groups", "rcuNext"],
};
/** Lists, by the field that leads on: a ring is made of each. */
const LINKS = {
  [L.CACHE_DENTRY]: ["next", "sibNext", "sibPrev", "firstChild", "lruNext", "lruPrev", "aliasNext", "parent"],
  [L.CACHE_INODE]: ["hashNext", "rcuNext"],
  [L.CACHE_MOUNT]: ["hashNext", "allNext", "parent", "rcuNext"],
  [L.CACHE_SUPER]: ["rcuNext"],
  [L.CACHE_FILE]: ["rcuNext"],
  [L.CACHE_CONTEXT]: ["rcuNext"],
};
/** Counts, sizes and other numbers that loops run to. */
const NUMBERS = {
  [L.CACHE_DENTRY]: ["lockref", "hashLen", "flags", "cookie", "nextCookie", "kids", "mounts"],
  [L.CACHE_INODE]: ["mode", "nlink", "size", "pages", "room", "count", "generation"],
  [L.CACHE_MOUNT]: ["count", "flags", "id", "kids"],
  [L.CACHE_SUPER]: ["driver", "hooks", "dflags", "active", "readonly"],
  [L.CACHE_FILE]: ["count", "flags", "pos", "mode", "hintCookie"],
  [L.CACHE_CONTEXT]: ["number", "ngroups", "fdHint", "alive", "users", "caps"],
};
const LOCKS = {
  [L.CACHE_DENTRY]: ["lockref", "childLock"],
  [L.CACHE_INODE]: ["mutex", "lock"],
  [L.CACHE_SUPER]: ["renameMutex"],
  [L.CACHE_FILE]: ["posLock"],
  [L.CACHE_CONTEXT]: ["lock", "fdLock"],
};
const SEQUENCES = { [L.CACHE_DENTRY]: ["seq", "dirSeq"], [L.CACHE_INODE]: ["seq"], [L.CACHE_CONTEXT]: ["seq"] };
const CLASS = {
  [L.CACHE_DENTRY]: Dentry,
  [L.CACHE_INODE]: Inode,
  [L.CACHE_MOUNT]: Mount,
  [L.CACHE_SUPER]: SuperBlock,
  [L.CACHE_FILE]: File,
  [L.CACHE_CONTEXT]: Context,
};
/** Numbers of the fixed part that loops run to, and heads of lists. */
const COUNTS = {
  G_HASH_N: L.G_HASH_N,
  G_HASH_MASK: L.G_HASH_MASK,
  G_HASH_COUNT: L.G_HASH_COUNT,
  G_RCU_COUNT: L.G_RCU_COUNT,
  G_RCU_SINCE: L.G_RCU_SINCE,
  G_LRU_COUNT: L.G_LRU_COUNT,
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
  G_RCU_HEAD: L.G_RCU_HEAD,
  G_RCU_TAIL: L.G_RCU_TAIL,
  G_LRU_HEAD: L.G_LRU_HEAD,
  G_LRU_TAIL: L.G_LRU_TAIL,
  G_PAGE_FREE: L.G_PAGE_FREE,
  G_ROOT_MNT: L.G_ROOT_MNT,
  G_MOUNTS: L.G_MOUNTS,
};
/** Values that break what is compared, counted and multiplied. */
const VALUES = [
  0, 1, 2, 3, 0x7f, 0xff, 0x1000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0x80000003, 0xfffffffe, 0xffffffff,
];

/** The words of an arena, and where its objects are. */
export class Corruption {
  #next;

  /** @param {ArrayBufferLike} buffer @param {number} end bytes of the arena @param {(n: number) => number} next */
  constructor(buffer, end, next) {
    this.words = new Uint32Array(buffer, 0, end >>> 2);
    this.end = end;
    this.#next = next;
    this.objects = this.#find();
    this.said = [];
  }

  /** Addresses of all objects that were ever given out, by their cache. */
  #find() {
    const objects = new Map();
    const table = this.words[L.H_CHUNK_TABLE >>> 2];
    for (let chunk = 0; chunk < this.end / L.CHUNK; chunk++) {
      const entry = (table + chunk * L.CHUNK_ENTRY) >>> 2;
      const cache = this.words[entry];
      if (cache === 0) continue;
      const list = objects.get(cache) ?? [];
      const { size } = L.CACHES[cache];
      for (let at = 0; at < this.words[entry + L.ENTRY.never / 4]; at += size) list.push(chunk * L.CHUNK + at);
      objects.set(cache, list);
    }
    return objects;
  }

  pick(list) {
    return list[this.#next(list.length)];
  }

  /** A random object of one of these caches. */
  #object(caches) {
    const cache = Number(this.pick(caches.filter((one) => (this.objects.get(Number(one)) ?? []).length > 0)));
    return [cache, this.pick(this.objects.get(cache))];
  }

  set(address, value, what) {
    const at = (address >>> 2) % this.words.length;
    this.said.push(`${what}: ${at * 4} was ${this.words[at].toString(16)}, is ${(value >>> 0).toString(16)}`);
    this.words[at] = value >>> 0;
  }

  /** A field of a random object among those that a table names: its class, address and name. */
  #field(table) {
    const [cache, object] = this.#object(Object.keys(table));
    const name = this.pick(table[cache]);
    return { cache, object, name: `${L.CACHES[cache].name}.${name}`, address: object + CLASS[cache][name] };
  }

  /** A word that is in use: of the fixed part, of the chunk table, or of an object. */
  #anyWord() {
    const where = this.#next(8);
    if (where === 0) return L.H_MAX_CHUNKS + this.#next(2048) * 4;
    if (where === 1) return L.G_CACHES + this.#next((L.CACHE_SLOTS * L.CACHE_BYTES) / 4) * 4;
    if (where === 2) return this.words[L.H_CHUNK_TABLE >>> 2] + this.#next(256) * 4;
    if (where === 3) return L.MOUNT_HEADS + this.#next(4096) * 4;
    const [cache, object] = this.#object([...this.objects.keys()]);
    return object + this.#next(L.CACHES[cache].size / 4) * 4;
  }

  bit() {
    const address = this.#anyWord();
    this.set(address, this.words[(address >>> 2) % this.words.length] ^ (1 << this.#next(32)), "a bit flipped");
  }

  word() {
    this.set(this.#anyWord(), this.#next(2) ? this.#next(0x100000000) : this.pick(VALUES), "a word replaced");
  }

  /** A pointer that leads to another object, of the same kind or any other, or into the middle of one. */
  pointer() {
    const { address, name } = this.#field(POINTERS);
    const [, object] = this.#object([...this.objects.keys()]);
    this.set(address, object + (this.#next(4) === 0 ? this.#next(64) * 4 : 0), `${name} led elsewhere`);
  }

  swapped() {
    const a = this.#field(POINTERS);
    const b = this.#field(POINTERS);
    const [x, y] = [this.words[a.address >>> 2], this.words[b.address >>> 2]];
    this.set(a.address, y, `${a.name} exchanged`);
    this.set(b.address, x, `with ${b.name}`);
  }

  /** A list that leads back to itself, at once or over another of its kind. */
  ring() {
    const { cache, object, name, address } = this.#field(LINKS);
    const other = this.#next(2) ? object : this.pick(this.objects.get(cache));
    this.set(address, other, `${name} of ${object} in a ring`);
    if (other !== object) this.set(other + (address - object), object, "and back");
  }

  /** A free list in a ring: of a chunk's objects, of a cache's chunks, of the chunks given back. */
  freeRing() {
    const [cache, object] = this.#object([...this.objects.keys()]);
    const table = this.words[L.H_CHUNK_TABLE >>> 2];
    const chunk = object >>> L.CHUNK_SHIFT;
    const entry = table + chunk * L.CHUNK_ENTRY;
    const what = this.#next(3);
    if (what === 0) {
      this.set(object + L.CACHES[cache].link, object, "a free object led to itself");
      this.set(entry + L.ENTRY.free, object, "as the first of its chunk");
    } else if (what === 1) this.set(entry + L.ENTRY.next, chunk, "a chunk with room led to itself");
    else {
      this.set(L.G_PAGE_FREE, chunk, "a chunk in use given back");
      this.set(entry + L.ENTRY.next, chunk, "and led to itself");
    }
  }

  /** The tree of a file's pages in a ring, and deeper than it can be. */
  pages() {
    const inodes = this.objects.get(L.CACHE_INODE).filter((i) => this.words[(i + Inode.shape) >>> 2] & 0x80000000);
    const inode = this.pick(inodes);
    const node = this.words[(inode + Inode.data) >>> 2];
    this.set(node + this.#next(8) * 4, node, "a node of pages led to itself");
    if (this.#next(2))
      this.set(
        inode + Inode.shape,
        0x80000000 + this.pick([0, 1, 0x401, 0xa02, 0xa03, 0xa04, 0xb01, 0x1f01, 0x7fffffff]),
        "levels",
      );
  }

  number() {
    const { address, name } = this.#field(NUMBERS);
    const high =
      name === "dentry.hashLen" || name === "dentry.lockref" || name === "inode.size" ? this.#next(2) * 4 : 0;
    this.set(address + high, this.pick(VALUES), name);
  }

  /** Counts, sizes and heads of the fixed part. */
  global() {
    const [name, address] = this.pick(Object.entries({ ...COUNTS, ...SIZES, ...HEADS }));
    const [, object] = this.#object([...this.objects.keys()]);
    this.set(address, name in HEADS ? object : this.pick(VALUES), name);
  }

  /** A lock that nobody who is alive has. */
  lock() {
    const owner = this.pick([1, 7, 0x80000007, 0xffffffff]);
    if (this.#next(3) === 0) {
      const name = this.pick(Object.keys(L.LOCKS));
      return this.set(L.LOCKS[name], owner, name);
    }
    const { address, name } = this.#field(LOCKS);
    return this.set(address, owner, `${name} taken`);
  }

  /** A sequence in the middle of a change that nobody makes. */
  sequence() {
    if (this.#next(4) === 0) {
      const name = this.pick(Object.keys(L.SEQUENCES));
      return this.set(L.SEQUENCES[name], this.words[L.SEQUENCES[name] >>> 2] | 1, `${name} odd`);
    }
    const { address, name } = this.#field(SEQUENCES);
    return this.set(address, this.words[address >>> 2] | 1, `${name} odd`);
  }

  /** What a thread's slot says of it. */
  slot() {
    const slot = L.SLOTS + this.#next(4) * L.SLOT_SIZE;
    const at = this.pick([L.SLOT_EPOCH, L.SLOT_STATE, L.SLOT_SCRATCH, L.SLOT_CONTEXT, 72, 80, 84]);
    const [, object] = this.#object([...this.objects.keys()]);
    this.set(slot + at, this.#next(2) ? this.pick(VALUES) : object, `word ${at} of a slot`);
  }
}

/** The kinds, by name. */
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
];
