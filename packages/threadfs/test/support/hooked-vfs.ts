/** Attachments on the debug build whose points the test can hook: the action runs inside the walk that passes the point. */

import { defined } from "../../../cli/dist/support/defined.js";
import { attachVfs, type HostOptions, type PointHook, type Vfs, type VfsHandle } from "../../dist/src/index.js";

/** What a test context offers to whatever must be closed with the test. */
export interface TestScope {
  after(close: () => unknown): void;
}

/** One passing of a point: its id (`POINT` in abi.ts) and its two numbers. */
export type PointPass = readonly [id: number, a: number, b: number];

/** Runs inside the walk, with the numbers of the point. */
export type PointAction = (a: number, b: number) => void;

export interface PointControls {
  /** The action runs once, the `nth` time that this attachment passes the point. */
  at(id: number, action: PointAction, nth?: number): void;
  /** The action runs every time, until never() is called. */
  each(id: number, action: PointAction): void;
  /** Forgets all actions. */
  never(): void;
  /** Whether an action still waits for its point: then the interleaving did not happen. */
  waits(id: number): boolean;
  /** The points that a run passes. */
  points(run: () => unknown): PointPass[];
}

export type HookedVfs = Vfs & PointControls;

interface WaitingAction {
  readonly action: PointAction;
  readonly always: boolean;
  /** Passings until it runs. */
  left: number;
}

/** Keeps the actions of one attachment. */
export class PointHooks implements PointControls {
  readonly #actions = new Map<number, WaitingAction>();
  #seen: PointPass[] | undefined;

  /** Give this to the attachment as its `point` hook. */
  readonly point: PointHook = (id, a, b) => {
    this.#seen?.push([id, a, b]);
    const entry = this.#actions.get(id);
    if (entry === undefined || entry.left-- > 1) return;
    if (!entry.always) this.#actions.delete(id);
    entry.action(a, b);
  };

  at = (id: number, action: PointAction, nth = 1): void => {
    this.#actions.set(id, { action, always: false, left: nth });
  };

  each = (id: number, action: PointAction): void => {
    this.#actions.set(id, { action, always: true, left: 0 });
  };

  never = (): void => this.#actions.clear();

  waits = (id: number): boolean => this.#actions.has(id);

  points = (run: () => unknown): PointPass[] => {
    const seen: PointPass[] = [];
    this.#seen = seen;
    try {
      run();
      return seen;
    } finally {
      this.#seen = undefined;
    }
  };

  /** The attachment with the controls of these hooks. */
  on(vfs: Vfs): HookedVfs {
    const { at, each, never, waits, points } = this;
    return Object.assign(vfs, { at, each, never, waits, points });
  }
}

/** An attachment to the context of a handle, whose points the test can hook. It closes with the test. */
export async function walkerOf(t: TestScope, handle: VfsHandle, host: HostOptions = {}): Promise<HookedVfs> {
  const hooks = new PointHooks();
  const vfs = await attachVfs(handle, { ...host, share: false, point: hooks.point });
  t.after(() => vfs.close());
  return hooks.on(vfs);
}

/** The passings of some points among those that `points(run)` returned. */
export function of(points: readonly PointPass[], ...ids: readonly number[]): PointPass[] {
  return points.filter(([id]) => ids.includes(id));
}

/** The first passing of a point. @throws Error when there is none */
export function firstPass(points: readonly PointPass[], id: number): PointPass {
  return defined(
    points.find(([passed]) => passed === id),
    `passing of point ${id}`,
  );
}

/** The last passing of a point. @throws Error when there is none */
export function lastPass(points: readonly PointPass[], id: number): PointPass {
  return defined(
    points.findLast(([passed]) => passed === id),
    `passing of point ${id}`,
  );
}

/** How often a run passes a point. */
export function passes(vfs: PointControls, id: number, run: () => unknown): number {
  return of(vfs.points(run), id).length;
}

/** The action runs once, the next time that `vfs` passes the point with this first number, such as the address of a dentry. */
export function when(vfs: PointControls, id: number, first: number, action: PointAction): void {
  vfs.at(id, function look(a, b) {
    if (a === first) action(a, b);
    else vfs.at(id, look);
  });
}
