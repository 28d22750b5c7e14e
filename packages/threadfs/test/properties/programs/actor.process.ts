/** A process that is one user of random programs on the kernel: it takes the user's credentials for good, and makes the user's calls. */
import nodeFs from "node:fs";
import type { Credentials } from "../../conformance/support/case.js";
import { Actor } from "./actor.js";
import { playStep, type Told } from "./play.js";
import { FLOOR_PATH } from "./program.js";

const user = JSON.parse(process.argv[2] ?? "") as Credentials;
let actor: Actor | undefined;

async function hear(told: Told): Promise<unknown> {
  switch (told.kind) {
    case "begin":
      process.umask(told.umask);
      process.chdir(told.cwd);
      actor = new Actor({
        fs: nodeFs,
        uid: user.uid,
        rooted: told.rooted,
        dir: told.dir,
        base: told.dir + FLOOR_PATH,
        chdir: (path) => process.chdir(path),
        umask: (mask) => process.umask(mask),
      });
      await actor.begin();
      return null;
    case "step":
      return actor && playStep(actor, told.step);
    case "end":
      await actor?.end();
      process.chdir("/");
      return null;
  }
}

process.on("message", async (told: Told) => {
  process.send?.(await hear(told));
});
process.on("disconnect", () => process.exit());

// Everything is imported: the user may not be able to read the checkout.
process.setgroups?.([...user.groups]);
process.setgid?.(user.gid);
process.setuid?.(user.uid);
