/** A trace turns points into steps. The tests report the points as the core would. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DROP, ERRNO, POINT } from "../../../dist/abi/abi.js";
import { Trace, type TraceStep } from "../../../dist/src/api/trace.js";

/** A trace over a memory of its own, and a function that writes text to the memory. */
function make() {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  const trace = new Trace();
  trace.attach(memory);
  let free = 1024;
  const text = (string: string) => {
    const bytes = new TextEncoder().encode(`${string}\0`);
    new Uint8Array(memory.buffer).set(bytes, free);
    free += bytes.length;
    return free - bytes.length;
  };
  return { memory, trace, text };
}

/** The fields of a step by their names: each kind of step has its own. */
const fieldsOf = (step: TraceStep | undefined): Readonly<Record<string, unknown>> => ({ ...step });

const [ROOT, DIR, FILE, LINK, MOUNTED, MOUNT] = [16, 32, 48, 64, 80, 96] as const;

describe("Trace: steps, drops and restarts", () => {
  test("a trace follows components, with the path of each", () => {
    const { trace, text } = make();
    const path = text("/dir/ﬁle");
    trace.point(POINT.WALK_START, 1, ROOT);
    trace.start();
    trace.point(POINT.WALK_START, 1, ROOT);
    trace.point(POINT.PERMISSION, 1, 0);
    trace.point(POINT.COMPONENT, ROOT, path + 1);
    trace.point(POINT.SEQ_OPENED, DIR, 4);
    trace.point(POINT.FOUND, DIR, 4);
    trace.point(POINT.PARENT_CHECK, ROOT, 2);
    trace.point(POINT.COMPONENT, DIR, path + 5);
    trace.point(POINT.FOUND, FILE, 6);
    trace.point(POINT.COMPLETE, FILE, 6);
    trace.point(POINT.ANSWER, 0, FILE);
    const steps = trace.stop();
    trace.point(POINT.ANSWER, 0, FILE);
    assert.deepEqual(steps, [
      { mode: "rcu", step: "start", path: "/", dentry: ROOT, revalidate: false },
      { mode: "rcu", step: "permission", path: "/", inode: 1, by: "everyone", answer: "ok" },
      { mode: "rcu", step: "component", path: "/", name: "dir", kind: "name" },
      { mode: "rcu", step: "detail", point: "SEQ_OPENED", a: DIR, b: 4 },
      { mode: "rcu", step: "found", path: "/dir", dentry: DIR, sequence: 4 },
      { mode: "rcu", step: "parent", path: "/", sequence: 2 },
      { mode: "rcu", step: "component", path: "/dir", name: "ﬁle", kind: "name" },
      { mode: "rcu", step: "found", path: "/dir/ﬁle", dentry: FILE, sequence: 6 },
      { mode: "rcu", step: "complete", path: "/dir/ﬁle", sequence: 6 },
      { mode: "rcu", step: "answer", path: "/dir/ﬁle", answer: "ok" },
    ]);
  });

  test("a trace says why the walk left rcu mode, continued and started again", () => {
    const { trace, text } = make();
    const path = text("link");
    trace.start();
    trace.point(POINT.WALK_START, 1, ROOT);
    trace.point(POINT.COMPONENT, ROOT, path);
    trace.point(POINT.FOUND, LINK, 2);
    trace.point(POINT.DROP, DROP.LINK, LINK);
    trace.point(POINT.DROPPED, 0, LINK);
    trace.point(POINT.RESTART, ERRNO.ECHILD, 0);
    trace.point(POINT.WALK_START, 0, ROOT);
    trace.point(POINT.RESTART, ERRNO.ESTALE, 0);
    trace.point(POINT.WALK_START, 3, ROOT);
    trace.point(POINT.DROP, DROP.LINK, LINK);
    trace.point(POINT.DROPPED, 1, LINK);
    trace.point(POINT.LINK, 7, text("../target/x"));
    trace.point(POINT.ANSWER, -ERRNO.ENOENT, 0);
    const steps = trace.stop();
    assert.deepEqual(
      steps.map(({ mode, step }) => `${mode} ${step}`),
      [
        "rcu start",
        "rcu component",
        "rcu found",
        "rcu drop",
        "rcu dropped",
        "rcu restart",
        "ref start",
        "ref restart",
        "rcu start",
        "rcu drop",
        "rcu dropped",
        "ref link",
        "ref answer",
      ],
    );
    assert.equal(fieldsOf(steps[3]).reason, "LINK");
    assert.equal(fieldsOf(steps[4]).continued, false);
    assert.equal(fieldsOf(steps[5]).reason, "ECHILD");
    assert.equal(fieldsOf(steps[7]).reason, "ESTALE");
    assert.equal(fieldsOf(steps[8]).revalidate, true);
    assert.equal(fieldsOf(steps[10]).continued, true);
    assert.equal(fieldsOf(steps[11]).body, "../target/x");
    assert.equal(fieldsOf(steps[12]).answer, "ENOENT");
  });
});

describe("Trace: mounts, components and memory", () => {
  test("a trace crosses mounts and goes up", () => {
    const { trace, text } = make();
    const path = text("dir/../x");
    trace.start("/start");
    trace.point(POINT.WALK_START, 1, ROOT);
    trace.point(POINT.COMPONENT, ROOT, path);
    trace.point(POINT.FOUND, DIR, 2);
    trace.point(POINT.MOUNT_DOWN, MOUNT, MOUNTED);
    trace.point(POINT.MOUNT_UP, MOUNT, DIR);
    trace.point(POINT.DOTDOT, DIR, ROOT);
    trace.point(POINT.COMPONENT, ROOT, path + 7);
    trace.point(POINT.MISS, ROOT, 1);
    assert.deepEqual(
      trace
        .stop()
        .map(fieldsOf)
        .map(({ step, path }) => `${step} ${path}`),
      [
        "start /start",
        "component /start",
        "found /start/dir",
        "mountDown /start/dir",
        "mountUp /start/dir",
        "dotdot /start",
        "component /start",
        "missing /start/x",
      ],
    );
  });

  test("a trace has a component once when the general walk continues the fast one", () => {
    const { trace, text } = make();
    const path = text("dir/dir/dir");
    trace.start();
    trace.point(POINT.WALK_START, 1, ROOT);
    for (const again of [1, 2]) {
      trace.point(POINT.PERMISSION, 1, 0);
      trace.point(POINT.COMPONENT, ROOT, path);
      trace.point(POINT.SEQ_OPENED, DIR, again);
    }
    trace.point(POINT.FOUND, DIR, 2);
    // The same name in another directory is another component.
    trace.point(POINT.COMPONENT, DIR, path + 4);
    trace.point(POINT.FOUND, FILE, 2);
    const steps = trace
      .stop()
      .map(fieldsOf)
      .map(({ step, path, name }) => [step, path, name].filter((part) => part).join(" "));
    assert.deepEqual(
      steps.filter((step) => step !== "detail"),
      ["start /", "permission /", "component / dir", "found /dir", "component /dir dir", "found /dir/dir"],
    );
  });

  test("a trace reads a memory that has grown to its end", () => {
    const { memory, trace } = make();
    memory.grow(1);
    new Uint8Array(memory.buffer).fill(97, 131062);
    trace.start();
    trace.point(POINT.COMPONENT, ROOT, 131062);
    assert.equal(fieldsOf(trace.stop()[0]).name, "a".repeat(10));
  });

  test("a trace needs a memory", () => {
    assert.throws(() => new Trace().start(), TypeError);
  });
});
