/** What all checks of the arena share: words of the memory, which objects there are, what refers to them, and what was found wrong. */
import * as L from "../arena/layout.js";

/** Problems of one kind that are told in full; of the rest only the number. */
const SHOWN = 10;
/** Longest way up that a dentry's path is followed for a message. */
const UP_MAX = 64;

/** The kinds of problems that there are. */
export const KINDS = new Set(
  `acl alias behind-end cache chunk-bump chunk-free chunk-lost chunk-owner chunk-table chunk-used context-held
   context-place context-table context-users dentry-cookie dentry-count dentry-flags dentry-inode dentry-list
   dentry-mounts dentry-parent dentry-sb dentry-type dir-size driver epoch fd fd-hint file file-count file-size
   gate gauge groups hash-chain hash-count hash-end hash-lost hash-size hash-twice header inode-count inode-data
   inode-mode inode-sb inode-table journal kids leak link-body lock lru mount mount-count mount-kids mount-list mount-parent
   mount-place mount-table name name-hash nlink null owner pages retired retired-epoch retired-state
   scratch sequence slab-count slab-empty slab-free slab-list slab-never slab-room slot sparse super super-active`.split(
    /\s+/,
  ),
);

const decoder = new TextDecoder();

export const hex = (address) => `0x${(address >>> 0).toString(16)}`;

export class ArenaView {
  /** @param {{ buffer: ArrayBufferLike, grow?: (pages: number) => number }} memory the arena's, or a copy of its bytes */
  constructor(memory) {
    // Another thread may have grown the memory, and this one's buffer object may not know yet.
    memory.grow?.(0);
    this.buffer = memory.buffer;
    this.words = new Uint32Array(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.data = new DataView(this.buffer);
    /** Kind of problem -> what was found. */
    this.found = new Map();
    /** Objects in use or retired, by cache. */
    this.allocated = L.CACHES.map(() => new Set());
    /** All objects that ever were in use, free ones too, by cache; of typed caches alone. */
    this.everUsed = L.CACHES.map(() => []);
    this.retired = new Set();
    /** Sized object -> what it belongs to. */
    this.owners = new Map();
    /** Object -> why it is referenced, once for each reference. */
    this.refs = new Map();
    /** Dentries met on the way from the roots. */
    this.tree = new Set();
    /** Inode -> its dentries. */
    this.dentriesOf = new Map();
    this.counts = {};
  }

  /** The word at an address; 0 behind the end of the memory. */
  u32(p) {
    return this.words[p >>> 2] >>> 0;
  }
  i32(p) {
    return this.words[p >>> 2] | 0;
  }
  /** 64 bits as a number: sizes and positions, which are below 2^53. */
  i64(p) {
    return Number(this.data.getBigInt64(p, true));
  }

  problem(kind, text) {
    if (!KINDS.has(kind)) throw new Error(`no kind of problem: ${kind}`);
    const texts = this.found.get(kind);
    if (texts === undefined) this.found.set(kind, [text]);
    else texts.push(text);
  }
  /** A problem unless the condition holds. The text is made only when needed. */
  expect(holds, kind, text) {
    if (!holds) this.problem(kind, text());
  }
  equal(is, should, kind, text) {
    if (is !== should) this.problem(kind, `${text()} is ${is} and should be ${should}`);
  }
  problems() {
    return [...this.found].flatMap(([kind, texts]) => [
      ...texts.slice(0, SHOWN).map((text) => `${kind}: ${text}`),
      ...(texts.length > SHOWN ? [`${kind}: ${texts.length - SHOWN} more`] : []),
    ]);
  }

  /** Number of the cache whose chunk an address lies in. */
  cacheOf(p) {
    return this.u32(this.entry(p >>> L.CHUNK_SHIFT) + L.ENTRY.cache);
  }
  entry(chunk) {
    return this.u32(L.H_CHUNK_TABLE) + chunk * L.CHUNK_ENTRY;
  }
  /** Whether an address is that of an object of this cache that is in use and not retired. */
  isLive(cache, p) {
    return this.allocated[cache].has(p) && !this.retired.has(p);
  }
  live(cache) {
    return this.retired.size === 0
      ? [...this.allocated[cache]]
      : [...this.allocated[cache]].filter((p) => !this.retired.has(p));
  }

  /** Notes that `what` owns the sized object at `p`, which kmalloc(bytes) gave. False: there is no such object. */
  own(p, bytes, what) {
    const size = L.SIZES.find((fits) => fits >= bytes);
    const cache = L.CACHES.findIndex((c) => !c.typed && c.size === size);
    if (cache < 0 || !this.allocated[cache].has(p)) {
      this.problem("owner", `${what()} points to ${hex(p)}, which is no object of ${size} bytes in use`);
      return false;
    }
    const other = this.owners.get(p);
    if (other !== undefined) {
      this.problem("owner", `${hex(p)} belongs to ${what()} and to ${other()}`);
      return false;
    }
    this.owners.set(p, what);
    return true;
  }

  /** Notes a reference. */
  ref(p, why) {
    const refs = this.refs.get(p);
    if (refs === undefined) this.refs.set(p, [why]);
    else refs.push(why);
  }
  refsOf(p) {
    return this.refs.get(p) ?? [];
  }

  /** Where the bytes of a dentry's name are and how many; undefined: they lie outside the memory. */
  nameBytes(d) {
    const len = this.u32(d + L.DENTRY.len);
    const at = len > L.INLINE_NAME ? this.u32(d + L.DENTRY.name) : d + L.DENTRY.name;
    return len > L.NAME_MAX || at + len > this.bytes.length ? undefined : this.bytes.slice(at, at + len);
  }
  name(d) {
    const bytes = this.nameBytes(d);
    return bytes === undefined ? "?" : decoder.decode(bytes);
  }
  /** A dentry for a message: address and path inside its file system. */
  dentry(d) {
    const names = [];
    let p = d;
    for (let n = 0; n < UP_MAX && this.allocated[L.CACHE_DENTRY].has(p); n++) {
      const up = this.u32(p + L.DENTRY.parent);
      if (up === p) return `dentry ${hex(d)} /${names.reverse().join("/")}`;
      names.push(this.name(p));
      p = up;
    }
    return `dentry ${hex(d)} ?/${names.reverse().join("/")}`;
  }
  /** An inode for a message. */
  inode(i) {
    const [d] = this.dentriesOf.get(i) ?? [];
    return `inode ${hex(i)}${d === undefined ? "" : ` (${this.dentry(d)})`}`;
  }
}
