/** The entry "threadfs/wasi-preview2": `wasi:filesystem` of components of WASI preview 2, in the shape of jco. */
export type { Preview2, Preview2Options } from "./wasi/preview2/preview2.js";
export { createPreview2 } from "./wasi/preview2/preview2.js";
export type {
  Advice,
  Datetime,
  DescriptorFlags,
  DescriptorStat,
  DescriptorType,
  DirectoryEntry,
  ErrorCode,
  MetadataHashValue,
  NewTimestamp,
  OpenFlags,
  PathFlags,
} from "./wasi/preview2/types.js";
