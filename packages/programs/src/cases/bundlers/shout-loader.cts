/** A loader, which webpack loads from the disk; what it gets comes from the tree. */
export = function shout(text: string): string {
  return `export default ${JSON.stringify(text.toUpperCase())};`;
};
