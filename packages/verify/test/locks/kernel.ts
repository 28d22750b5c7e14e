/** Advisory locks of the running kernel: processes of Python, whose standard library has flock(2) and fcntl(2), each with descriptors of one file. */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** Reads a call a line, as JSON, and writes its result: 0, a negative errno, or [type, start, length, pid] of F_GETLK. */
const PROGRAM = `
import fcntl, json, os, struct, sys
path, count = sys.argv[1], int(sys.argv[2])
fds = [os.open(path, os.O_RDWR) for _ in range(count)]
FLOCK = "@hhqqi4x"
for line in sys.stdin:
    call = json.loads(line)
    try:
        fd = fds[call["fd"]]
        if call["call"] == "flock":
            fcntl.flock(fd, call["op"])
            result = 0
        elif call["call"] == "close":
            os.close(fd)
            fds[call["fd"]] = os.open(path, os.O_RDWR)
            result = 0
        elif call["call"] == "seek":
            result = os.lseek(fd, call["position"], 0)
        else:
            asked = struct.pack(FLOCK, call["type"], call["whence"], call["start"], call["len"], 0)
            type, whence, start, length, pid = struct.unpack(FLOCK, fcntl.fcntl(fd, call["cmd"], asked))
            result = [type, start, length, pid] if call["get"] else 0
    except OSError as error:
        result = -error.errno
    print(json.dumps(result), flush=True)
`;

/** Why the kernel cannot be asked here; undefined: it can. */
export function whyNoKernel(): string | undefined {
  if (process.platform !== "linux") return "only Linux is the oracle";
  const found = spawnSync("python3", ["-c", "import fcntl"]);
  return found.status === 0 ? undefined : "there is no python3";
}

export type KernelResult = number | [type: number, start: number, length: number, pid: number];

/** A process, which has its own locks on ranges. */
export class KernelProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(path: string, descriptors: number) {
    this.#child = spawn("python3", ["-c", PROGRAM, path, `${descriptors}`], { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async call(call: object): Promise<KernelResult> {
    this.#child.stdin.write(`${JSON.stringify(call)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the process has ended");
    return JSON.parse(value);
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, "exit");
  }
}
