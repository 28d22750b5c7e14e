/** Builds a tree (trees.ts): on the core, call by call, and on the model. */
import { O_CREAT } from "../../../threadfs/dist/abi/abi.js";
import * as L from "../arena/layout.js";
import { type Call, isError, type Result } from "../model/call.js";
import type { ContextOptions } from "../model/sequential.js";
import { modelRunner } from "../model/sequential.js";
import type { DriverContents, State } from "../model/state.js";
import { ask, dumpCalls, readWith, type TreeDump } from "../model/tree-dump.js";
import { type AnyCall, begin, beginContext, type CoreCalls, finish, type ScratchThread } from "./core-calls.js";
import { DRIVER_NAME, TWIG } from "./driver.js";
import type { Tree } from "./trees.js";

/** The clock of every exploration stands still, so that times are comparable. */
export const CLOCK = 1.6e12;

/** The path that a call of the setup makes: it gets a label. */
function pathMade(call: Call): string | undefined {
  if (call.call === "sysMkdir" || call.call === "sysMountNew") return call.path;
  if (call.call === "sysSymlink" || call.call === "sysMount") return call.path2;
  return call.call === "sysOpen" && call.flags & O_CREAT ? call.path : undefined;
}

/** Labels of inodes by their numbers. */
export type Labels = Map<number, string>;

/**
 * Builds a tree: yields calls as the model takes them, and is sent their results.
 * @param mountDriver the calls that mount the driver's file system on a path, as the tree has it
 * @param fill the calls that write to a file until there is no memory
 * @param addLate the calls that make the contexts that are made after the setup
 * @returns the labels of the inodes
 */
export function* buildCalls<C>(
  tree: Tree,
  mountDriver: (path: string, tree: Tree) => Generator<C, void, Result>,
  fill: (fd: number) => Generator<C, void, Result>,
  addLate: (contexts: readonly ContextOptions[]) => Generator<C, void, Result>,
): Generator<C | Call, Labels, Result> {
  const labels: Labels = new Map();
  function* name(path: string, ctx = 0): Generator<Call, void, Result> {
    const stat = yield* ask({ call: "sysStat", path, nofollow: true, ctx });
    if (isError(stat)) throw new Error(`no ${path}: ${stat}`);
    if (!labels.has(stat.ino))
      labels.set(stat.ino, `old ${path}${[...labels.values()].includes(`old ${path}`) ? " above" : ""}`);
  }
  function* setUp(calls: Call[]): Generator<C | Call, void, Result> {
    for (const call of calls) {
      const result = yield call;
      if (isError(result)) throw new Error(`${JSON.stringify(call)}: ${result}`);
      const made = pathMade(call);
      if (made !== undefined) yield* name(made, call.ctx);
    }
  }
  yield* name("/", 0);
  yield* setUp(tree.setup);
  if (tree.driver !== undefined) {
    yield* mountDriver(tree.driver, tree);
    for (const path of tree.paths ?? ["", "/f", "/s", "/s/g"]) yield* name(tree.driver + path, 0);
  }
  if (tree.fills !== undefined) yield* fill(tree.fills);
  yield* addLate(tree.late ?? []);
  yield* setUp(tree.after ?? []);
  return labels;
}

// ------------------------------------------------------------------------------------- on the core, call by call

/** Turns a generator of calls into one of the core's exports with their arguments. */
export function* onCore<T>(
  t: ScratchThread,
  calls: Generator<AnyCall, T, Result>,
  contexts: readonly number[],
): CoreCalls<T> {
  for (let next = calls.next(); ; ) {
    if (next.done) return next.value;
    const r = yield begin(t, next.value, contexts);
    next = calls.next(finish(t, next.value, r));
  }
}

/** A tree on the core: the numbers of its contexts, and the labels of its inodes. */
export interface BuiltTree {
  contexts: number[];
  labels: Labels;
}

/** Builds a tree on a fresh arena. */
export function* buildOnCore(t: ScratchThread, tree: Tree): CoreCalls<BuiltTree> {
  const contexts = [0];
  if (tree.unused !== undefined) {
    const words = new Uint32Array(t.scratch.buffer);
    words[L.G_MAX_POSITIVE >>> 2] = tree.unused.positive;
    words[L.G_MAX_NEGATIVE >>> 2] = tree.unused.negative;
  }
  for (const context of tree.contexts) {
    const number = yield beginContext(t, context);
    if (number < 0) throw new Error(`no context: ${number}`);
    // It does not end with the thread that builds the tree.
    yield ["contextKeep", number];
    contexts.push(number);
  }
  function* addLate(late: readonly ContextOptions[]): Generator<AnyCall, void, Result> {
    for (const options of late) {
      const number = yield { call: "lateContext", options };
      if (typeof number !== "number") throw new Error(`no context: ${number}`);
      yield { call: "contextKeep", ctx: contexts.push(number) - 1 };
    }
  }
  const labels = yield* onCore(t, buildCalls(tree, mountDriver, fillMemory, addLate), contexts);
  if (tree.followed) {
    const followed = yield ["changesFollow", 0, 0];
    if (followed < 0) throw new Error(`the log of changes: ${followed}`);
  }
  return { contexts, labels };
}

function* mountDriver(path: string, { hooks = 0, fsFlags = 0 }: Tree): Generator<AnyCall, void, Result> {
  const type = yield { call: "driverRegister", name: DRIVER_NAME, hooks, fsFlags };
  if (typeof type !== "number") throw new Error(`no driver ${DRIVER_NAME}: ${type}`);
  const result = yield { call: "sysMountNew", path, type };
  if (isError(result)) throw new Error(`no driver at ${path}: ${result}`);
}

/** Small pieces at the end, so that no page is left. */
function* fillMemory(fd: number): Generator<AnyCall, void, Result> {
  for (let offset = 0; ; ) {
    const written = yield { call: "sysWrite", fd, offset, data: "x".repeat(60_000) };
    if (typeof written !== "number") break;
    offset += written;
  }
}

/** Reads the final tree. */
export function dumpOnCore(t: ScratchThread, { contexts }: BuiltTree): CoreCalls<TreeDump> {
  return onCore(t, dumpCalls(contexts.length), contexts);
}

// ------------------------------------------------------------------------------------- on the model

/** The model of a tree. */
export function modelOf(tree: Tree): { state: State; labels: Labels } {
  const model = modelRunner({ now: CLOCK });
  for (const context of tree.contexts) model.addContext(context);
  const addLate = (late: readonly ContextOptions[]) => {
    for (const context of late) model.addContext(context);
    return fillNothing();
  };
  const labels = readWith(model.run, buildCalls(tree, mountModelDriver, fillNothing, addLate));
  return { state: model.state, labels };
}

function* mountModelDriver(path: string, tree: Tree): Generator<Call, void, Result> {
  yield { call: "sysMountNew", path, type: 1, contents: contentsOf(tree) };
}

/** No call: the model's memory has no end, and its contexts are made without one. */
function* fillNothing(): Generator<Call, void, Result> {}

/** What a tree's driver shows. */
export const contentsOf = (tree: Tree): DriverContents => tree.contents ?? TWIG;
