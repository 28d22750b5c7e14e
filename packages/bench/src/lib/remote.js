// Every rival lives in a process of its own: its own heap, its own inline caches, one shape of fs at each call site.
// Rounds are interleaved by asking one process after the other; those not asked are idle.

import { fork, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** No single request runs longer than this. */
const REQUEST_LIMIT_MS = 20 * 60 * 1000;

const CHILD = fileURLToPath(new URL("./remote-child.js", import.meta.url));

/** Rejects when nothing came in time, so that a hung rival ends the bench and not the patience of who runs it. */
function bounded(promise, what, limit = REQUEST_LIMIT_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${limit / 1000} s`)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A child process that runs functions which a module exports. */
export class Remote {
  #child;
  #pending = new Map();
  #next = 1;

  /**
   * @param {string} module URL of the module whose exports are called as `fn(state, argument)`, `state` being kept
   *   between calls
   * @param {{ cwd?: string, nodeOptions?: string[] }} [options]
   */
  constructor(module, options = {}) {
    this.#child = fork(CHILD, [module], {
      cwd: options.cwd,
      execArgv: options.nodeOptions ?? [],
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", ({ id, value, error }) => {
      const request = this.#pending.get(id);
      this.#pending.delete(id);
      if (error) request?.reject(new Error(error));
      else request?.resolve(value);
    });
    this.#child.on("exit", (code, signal) => {
      for (const request of this.#pending.values()) request.reject(new Error(`rival ended (${signal ?? code})`));
      this.#pending.clear();
    });
  }

  /** Runs `name(state, argument)` over there and answers what it returns. */
  call(name, argument) {
    if (!this.#child.connected) return Promise.reject(new Error("rival is not running"));
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#child.send({ id, name, argument });
    return bounded(answer, name);
  }

  /** Ends the process. Nothing in it is worth an orderly end: memory goes back at once. */
  stop() {
    this.#child.kill("SIGKILL");
  }
}

/** A program that answers each line on stdin with one line on stdout. */
export class LineProgram {
  #child;
  #waiting = [];
  #rest = "";

  constructor(program, parameters, options = {}) {
    this.#child = spawn(program, parameters, { cwd: options.cwd, stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout.setEncoding("latin1");
    this.#child.stdout.on("data", (text) => {
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop();
      for (const answer of lines) this.#waiting.shift()?.resolve(answer);
    });
    const ended = (reason) => {
      for (const request of this.#waiting.splice(0)) request.reject(new Error(`${program}: ${reason}`));
    };
    this.#child.on("error", (error) => ended(error.message));
    this.#child.on("exit", (code, signal) => ended(`ended (${signal ?? code})`));
    this.#child.stdin.on("error", () => {}); // The exit that causes it is reported above.
  }

  ask(question) {
    if (this.#child.exitCode !== null) return Promise.reject(new Error("program is not running"));
    const answer = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#child.stdin.write(`${question}\n`);
    return bounded(answer, question);
  }

  stop() {
    this.#child.kill("SIGKILL");
  }
}
