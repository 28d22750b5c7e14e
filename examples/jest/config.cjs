const { existsSync, mkdirSync, readFileSync, writeFileSync } = require("node:fs");
const { dirname } = require("node:path");

/** The code that is tested. It knows nothing of a tree. */
exports.saveConfig = function saveConfig(path, config) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(config));
};

exports.loadConfig = function loadConfig(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
};
