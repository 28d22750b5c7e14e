/** A worker that runs a component, and says what it has printed. */
import { parentPort, workerData } from "node:worker_threads";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";
import { attachVfs, type VfsHandle } from "threadfs";
import { createPreview2 } from "threadfs/wasi-preview2";
import { cli, hasFailed } from "./cli.js";
import { load } from "./component.js";

export interface ComponentSetup {
  readonly handle: VfsHandle;
  /** What has been transpiled: its folder, and the name in it. */
  readonly folder: string;
  readonly name: string;
  readonly args: readonly string[];
}

const { handle, folder, name, args } = workerData as ComponentSetup;
const vfs = await attachVfs(handle, { closeOnExit: true });
const component = await load(folder, name);
const { filesystem, io } = createPreview2(vfs, { preopens: { ".": "/w" } });
const { given, shim } = cli([name, ...args], {}, "");
const imports = new WASIShim({ filesystem, io, cli: shim }).getImportObject();
const failed = hasFailed(() => component(imports));
parentPort?.postMessage({ code: failed ? 1 : 0, ...given });
