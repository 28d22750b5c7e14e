/** The option `maxDepth`: names between the directory of a search and what it finds; also upwards. */
import { normalize } from "../paths/join.js";

/** The names of an absolute path without dots. */
function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}

export class DepthLimit {
  readonly #root: readonly string[];
  readonly #max: number;

  /** @param root absolute path of the search's directory */
  constructor(root: string, max: number) {
    this.#root = namesOf(root);
    this.#max = max;
  }

  /** Names that two paths have in common at their starts. */
  #common(names: readonly string[]): number {
    const other = this.#root.findIndex((name, i) => name !== names[i]);
    return other === -1 ? this.#root.length : other;
  }

  /** Names of the relative path from the root to an absolute one. */
  #depth(path: string): number {
    const names = namesOf(normalize(path));
    return this.#root.length + names.length - 2 * this.#common(names);
  }

  /** Whether a path may be found. */
  includes(path: string): boolean {
    return this.#depth(path) <= this.#max;
  }

  /** Whether a directory may be searched. `above`: also if it is above the root, as on the way of absolute patterns. */
  isOpen(path: string, above: boolean): boolean {
    const names = namesOf(normalize(path));
    if (above && names.length < this.#root.length && this.#common(names) === names.length) return true;
    return this.#depth(path) < this.#max;
  }
}
