/** Flags of open(2) that Node has no names for. They need the types of no host. */
import { O_DIRECTORY, O_PATH, O_TMPFILE_BIT } from "../../../abi/flags.js";

/**
 * Flags of open(2) that `fs.constants` has not: O_PATH opens a place in the tree, not the file; O_TMPFILE, with the path of a directory, a file without a name
 * (which {@link LinuxCalls.linkatSync} can give it).
 */
export const OPEN_FLAGS = Object.freeze({ O_PATH, O_TMPFILE: O_TMPFILE_BIT | O_DIRECTORY });
