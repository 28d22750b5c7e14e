/** The hooks of an instrumented core that show every access to memory. */
import type { Core, Hooks } from "../binary/core.js";
import type { Site } from "../binary/instrument.js";
import { defined } from "../support/defined.js";

/** @param see is told of each access: its address, its bytes, whether it writes */
export function accessHooks(core: Core, see: (address: number, size: number, write: boolean) => void): Hooks {
  const siteOf = (site: number): Site => defined(core.sites[site], `site ${site}`);
  return {
    access: (site, address) => {
      const { kind, size } = siteOf(site);
      if (kind !== "size" && kind !== "grow") see(address, size, kind !== "load");
      return undefined;
    },
    store: (site, address) => {
      see(address, siteOf(site).size, true);
      return undefined;
    },
    range: (site, to, from, length) => {
      if (length === 0) return undefined;
      if (siteOf(site).kind === "copy") see(from, length, false);
      see(to, length, true);
      return undefined;
    },
  };
}
