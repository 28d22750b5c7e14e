/** A process whose standard input cannot be read and whose standard output cannot be written: prints what a program of WASI gets, to standard error. */
import { createVfs } from "../../../dist/src/index.js";
import { createWasi } from "../../../dist/src/wasi.js";
import { TestProgram } from "./program.js";

const vfs = await createVfs({ maxBytes: 1 << 24 });
const program = new TestProgram(createWasi(vfs));
process.stderr.write(`${program.read(0, 10)} ${program.write(1, "text")}`);
vfs.close();
