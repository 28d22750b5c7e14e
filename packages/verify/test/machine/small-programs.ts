/** Hand-written programs for the tests of the machine and the explorer. */
import binaryen from "binaryen";
import { type CoreCall, Machine, type Operation } from "../../dist/machine/machine.js";
import { programOf } from "../../dist/machine/program.js";

/** A machine with its program from text; the memory is one page. */
export function machineOf(body: string, { threads = 2 }: { threads?: number } = {}): Machine {
  const module = binaryen.parseText(`(module
    (import "host" "wait" (func $wait (param i32 i32 f64) (result i32)))
    (import "host" "clock" (func $clock (result f64)))
    (import "host" "timedOut" (func $timedOut (param i32)))
    (import "env" "memory" (memory 1 65536 shared))
    ${body})`);
  module.setFeatures(binaryen.Features.Atomics | binaryen.Features.BulkMemory | binaryen.Features.MutableGlobals);
  const bytes = Uint8Array.from(module.emitBinary());
  module.dispose();
  const machine = new Machine(programOf(bytes), { threads, bytes: 65536 });
  machine.seal();
  return machine;
}

/** An operation of calls one after the other; its result is what the last one returned. */
export function calls(...list: [name: string, ...args: number[]][]): Operation {
  return {
    name: list.map(([name]) => name).join(", "),
    *run(): Generator<CoreCall, unknown, number> {
      let result: number | undefined;
      for (const call of list) result = yield call;
      return result;
    },
  };
}

/** `(add)` takes two steps, `(bump n)` n steps, `(twice)` four on two words. */
export const COUNTERS = `
  (global $calls (mut i32) (i32.const 0))
  (func (export "add") (result i32)
    (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))
    (i32.const 0))
  (func (export "bump") (param $n i32) (result i32)
    (loop $again
      (drop (i32.atomic.rmw.add (i32.const 64) (i32.const 1)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $again (local.get $n)))
    (i32.const 0))
  (func (export "twice") (result i32)
    (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))
    (i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 1)))
    (i32.const 0))
  (func (export "count") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store (i32.const 64) (global.get $calls))
    (global.get $calls))
  (func (export "swap") (result i32)
    (i64.atomic.store (i32.const 64) (i64.atomic.load (i32.const 128)))
    (i32.const 0))`;

/** `await` waits until the word at 64 is not 0; `wake` sets it and notifies, `forget` only sets it. */
export const WAITERS = `
  (func (export "await") (result i32)
    (if (result i32) (i32.eqz (i32.atomic.load (i32.const 64)))
      (then (call $wait (i32.const 64) (i32.const 0) (f64.const 10)))
      (else (i32.const 9))))
  (func (export "wake") (result i32)
    (i32.atomic.store (i32.const 64) (i32.const 1))
    (drop (memory.atomic.notify (i32.const 64) (i32.const 1)))
    (i32.const 0))
  (func (export "forget") (result i32)
    (i32.atomic.store (i32.const 64) (i32.const 1))
    (i32.const 0))
  (func (export "hold") (param $mine i32) (param $other i32) (result i32)
    (i32.atomic.store (local.get $mine) (i32.const 1))
    (loop $again
      (br_if $again (i32.eq (call $wait (local.get $other) (i32.const 1) (f64.const 10)) (i32.const 2))))
    (i32.atomic.store (local.get $mine) (i32.const 0))
    (drop (memory.atomic.notify (local.get $mine) (i32.const 1)))
    (i32.const 0))
  (func (export "look") (result i32)
    (local $n i32)
    (loop $again
      (if (i32.atomic.load (i32.const 64)) (then (return (i32.const 1))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 50))))
    (i32.const 0))`;

/**
 * `poll` reads the word at 64 until it is not 0, and looks at the clock in between, for ten seconds at most; `spin` reads it 50 times.
 * `threadAbandon`, by which a thread leaves its call, counts at 192; `callOutcome` says that the call has not happened.
 */
export const POLLERS = `${WAITERS}
  (func (export "callOutcome") (result f64) (f64.const nan))
  (func (export "threadAbandon") (param i32) (result i32)
    (i32.atomic.store (i32.const 192) (i32.add (i32.atomic.load (i32.const 192)) (i32.const 1)))
    (i32.const 0))
  (func (export "poll") (result i32)
    (local $until f64)
    (local.set $until (f64.add (call $clock) (f64.const 10000)))
    (loop $again
      (if (i32.atomic.load (i32.const 64)) (then (return (i32.const 1))))
      (if (f64.ge (call $clock) (local.get $until)) (then (call $timedOut (i32.const 64))))
      (br $again))
    (unreachable))
  (func (export "spin") (result i32)
    (local $n i32)
    (loop $again
      (if (i32.atomic.load (i32.const 64)) (then (return (i32.const 1))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 50))))
    (unreachable))`;
