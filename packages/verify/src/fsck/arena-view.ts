/** The state that all checks of the arena share: words of the memory, its objects, the references to them, the problems found. */
import * as L from "../arena/layout.js";
import { defined } from "../support/defined.js";

/** A text for a message, made only when it is needed. */
export type Text = () => string;

/** Problems of one kind that are listed; the rest are counted. */
const SHOWN = 10;
/** Longest way up that a dentry's path is followed for a message. */
const UP_MAX = 64;

/** The kinds of problems that there are. */
export const KINDS = new Set(
  `acl alias behind-end cache changes children chunk-bump chunk-free chunk-lost chunk-owner chunk-table chunk-used context-held
   context-namespace context-place context-table context-users dentry-cookie dentry-count dentry-flags dentry-inode dentry-list
   dentry-mounts dentry-parent dentry-sb dentry-type dir-size driver epoch fd fd-hint file file-count file-lock file-size
   gauge groups hash-chain hash-count hash-end hash-lost hash-size hash-twice header inode-count inode-data
   inode-mode inode-sb inode-table leak link-body lock lru mount mount-children mount-count mount-group mount-list mount-master mount-namespace
   mount-parent mount-place mount-table name name-hash nlink null owner pages pipe quota recount retired retired-epoch retired-state
   scratch sequence sheaf slab-count slab-empty slab-free slab-list slab-never slab-room slot spare sparse super super-active undo-log xattr`.split(
    /\s+/,
  ),
);

const decoder = new TextDecoder();

export const hex = (address: number): string => `0x${(address >>> 0).toString(16)}`;

/** The memory of an arena, or a copy of its bytes. */
export interface ArenaMemory {
  buffer: ArrayBufferLike;
  grow?(pages: number): number;
}

export class ArenaView {
  readonly buffer: ArrayBufferLike;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  readonly data: DataView;
  /** Kind of problem -> texts. */
  readonly found = new Map<string, string[]>();
  /** Objects in use or retired, by cache. */
  readonly #allocated: Set<number>[] = L.CACHES.map(() => new Set<number>());
  /** All objects that ever were in use, free ones too, by cache; of typed caches alone. */
  readonly #everUsed: number[][] = L.CACHES.map(() => []);
  readonly retired = new Set<number>();
  /** Sized object -> its owner. */
  readonly owners = new Map<number, Text>();
  /** Object -> why it is referenced, once for each reference. */
  readonly refs = new Map<number, string[]>();
  /** Dentries reached from the roots. */
  readonly tree = new Set<number>();
  /** Inode -> its dentries. */
  readonly dentriesOf = new Map<number, number[]>();
  /** Objects in use by the name of their cache, and live ones by their type. */
  readonly counts: Record<string, number> = {};

  /** @param memory the arena's, or a copy of its bytes */
  constructor(memory: ArenaMemory) {
    // Another thread may have grown the memory, and this one's buffer object may not know yet. One that has all chunks is
    // not asked: to grow by nothing costs a system call.
    const [maxChunks = 0] = new Uint32Array(memory.buffer, L.H_MAX_CHUNKS, 1);
    if (memory.buffer.byteLength >>> L.CHUNK_SHIFT < maxChunks) memory.grow?.(0);
    this.buffer = memory.buffer;
    this.words = new Uint32Array(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.data = new DataView(this.buffer);
  }

  /** The objects of a cache that are in use or retired. */
  allocated(cache: number): Set<number> {
    return defined(this.#allocated[cache], `cache ${cache}`);
  }
  /** The objects of a typed cache that ever were in use, free ones too. */
  everUsed(cache: number): number[] {
    return defined(this.#everUsed[cache], `cache ${cache}`);
  }

  /** The 64 bits at an address, a multiple of 8; 0 behind the end of the memory. */
  u64(p: number): bigint {
    return (BigInt(this.u32(p + 4)) << 32n) | BigInt(this.u32(p));
  }
  /** The word at an address; 0 behind the end of the memory. */
  u32(p: number): number {
    return this.words[p >>> 2] ?? 0;
  }
  i32(p: number): number {
    return this.u32(p) | 0;
  }
  /** 64 bits as a number: sizes and positions, which are below 2^53. */
  i64(p: number): number {
    return Number(this.data.getBigInt64(p, true));
  }

  /** A counter of which each slot has a part: the total and, at this offset of the slots, the parts. */
  sum(total: number, part: number): number {
    let sum = this.i32(total);
    for (let n = 0; n < L.MAX_THREADS; n++) sum += this.i32(L.SLOTS + n * L.SLOT_SIZE + part);
    return sum;
  }

  f64(p: number): number {
    return this.data.getFloat64(p, true);
  }

  problem(kind: string, text: string): void {
    if (!KINDS.has(kind)) throw new Error(`no kind of problem: ${kind}`);
    const texts = this.found.get(kind);
    if (texts === undefined) this.found.set(kind, [text]);
    else texts.push(text);
  }
  /** A problem unless the condition holds. */
  expect(holds: boolean, kind: string, text: Text): void {
    if (!holds) this.problem(kind, text());
  }
  equal<T extends number | boolean>(is: T, should: T, kind: string, text: Text): void {
    if (is !== should) this.problem(kind, `${text()} is ${is} and should be ${should}`);
  }
  problems(): string[] {
    return [...this.found].flatMap(([kind, texts]) => [
      ...texts.slice(0, SHOWN).map((text) => `${kind}: ${text}`),
      ...(texts.length > SHOWN ? [`${kind}: ${texts.length - SHOWN} more`] : []),
    ]);
  }

  /** Number of the cache whose chunk an address lies in. */
  cacheOf(p: number): number {
    return this.u32(this.entry(p >>> L.CHUNK_SHIFT) + L.ENTRY_CACHE);
  }
  entry(chunk: number): number {
    return this.u32(L.H_CHUNK_TABLE) + chunk * L.CHUNK_ENTRY;
  }
  /** Whether an address is that of an object of this cache that is in use and not retired. */
  isLive(cache: number, p: number): boolean {
    return this.allocated(cache).has(p) && !this.retired.has(p);
  }
  live(cache: number): number[] {
    const all = [...this.allocated(cache)];
    return this.retired.size === 0 ? all : all.filter((p) => !this.retired.has(p));
  }

  /** Notes that `what` owns the sized object at `p`, which kmalloc(bytes) returned. False: there is no such object. */
  own(p: number, bytes: number, what: Text): boolean {
    const size = L.SIZES.find((fits) => fits >= bytes);
    const cache = L.CACHES.findIndex((c) => !c.typed && c.size === size);
    if (cache < 0 || !this.allocated(cache).has(p)) {
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
  ref(p: number, why: string): void {
    const refs = this.refs.get(p);
    if (refs === undefined) this.refs.set(p, [why]);
    else refs.push(why);
  }
  refsOf(p: number): string[] {
    return this.refs.get(p) ?? [];
  }

  /** The bytes of a dentry's name; undefined: they lie outside the memory. */
  nameBytes(d: number): Uint8Array | undefined {
    const len = this.u32(d + L.DENTRY.len);
    const at = len > L.INLINE_NAME ? this.u32(d + L.DENTRY.name) : d + L.DENTRY.name;
    return len > L.NAME_MAX || at + len > this.bytes.length ? undefined : this.bytes.slice(at, at + len);
  }
  name(d: number): string {
    const bytes = this.nameBytes(d);
    return bytes === undefined ? "?" : decoder.decode(bytes);
  }
  /** A dentry for a message: address and path inside its file system. */
  dentry(d: number): string {
    const names: string[] = [];
    let p = d;
    for (let n = 0; n < UP_MAX && this.allocated(L.CACHE_DENTRY).has(p); n++) {
      const up = this.u32(p + L.DENTRY.parent);
      if (up === p) return `dentry ${hex(d)} /${names.reverse().join("/")}`;
      names.push(this.name(p));
      p = up;
    }
    return `dentry ${hex(d)} ?/${names.reverse().join("/")}`;
  }
  /** An inode for a message. */
  inode(i: number): string {
    const [d] = this.dentriesOf.get(i) ?? [];
    return `inode ${hex(i)}${d === undefined ? "" : ` (${this.dentry(d)})`}`;
  }
}
