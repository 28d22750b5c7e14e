#!/usr/bin/env node
// JavaScript, and not an output of the build: npm links a command when it installs, before a clone is built, and keeps the file's mode.
import { existsSync } from "node:fs";

const main = new URL("../dist/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write("threadfs: the command line is not built yet: run `npm run build` in the clone first\n");
  process.exitCode = 2;
}
