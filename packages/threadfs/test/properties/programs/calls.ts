/** All calls of random programs by name. */
import type { Call } from "./call.js";
import { CONTENTS } from "./calls-contents.js";
import { DESCRIPTORS } from "./calls-descriptors.js";
import { NAMES } from "./calls-names.js";
import { STREAMS } from "./calls-streams.js";
import { TREES } from "./calls-trees.js";

const TABLE = { ...NAMES, ...CONTENTS, ...DESCRIPTORS, ...STREAMS, ...TREES };

export type CallName = keyof typeof TABLE;

export const CALLS: { readonly [name in CallName]: Call } = TABLE;
