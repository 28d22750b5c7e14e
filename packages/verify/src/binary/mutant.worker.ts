/** Compiles cores, one after the other. A thread that has compiled before takes half as long, because its compiler is optimised. */
import asc from "assemblyscript/asc";
import { serveRequests } from "../../../cli/dist/support/worker-pool.js";

/** `args` are the compiler's; paths in them are relative to `baseDir`. */
export interface CompileRequest {
  task: "compile";
  baseDir: string;
  args: string[];
}

serveRequests<CompileRequest>(async ({ baseDir, args }) => {
  const { error, stderr } = await asc.main([...args, "--baseDir", baseDir]);
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
});
