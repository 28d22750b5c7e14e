/** Paths of a shell, and the errors of its calls. */
import { errnoOf, invalidArgType, type SystemCallError, systemCallError } from "../errors/errors.js";

/**
 * The path that a call passes to the tree. A relative one starts at the root, as in just-bash's own file systems: a shell makes its paths absolute before it
 * calls. "." and ".." are the walk's.
 * @throws TypeError ERR_INVALID_ARG_TYPE; Error ENOENT: it has a NUL
 */
export function toBashPath(path: unknown, operation: string): string {
  if (typeof path !== "string") throw invalidArgType("path", "of type string", path);
  if (path.includes("\0")) {
    const message = `ENOENT: a path with a null byte, ${operation} '${path}'`;
    throw Object.assign(new Error(message), { code: "ENOENT", syscall: operation, path });
  }
  return path.startsWith("/") ? path : `/${path}`;
}

/** The directory that has the last name of an absolute path. */
export function parentOf(path: string): string {
  return path.replace(/\/+[^/]*\/*$/, "") || "/";
}

export function joined(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

/** An absolute path without ".", ".." and double slashes, as a shell has its working directory: by the text alone. */
export function resolved(base: string, path: string): string {
  const names: string[] = [];
  for (const name of (path.startsWith("/") ? path : `${base}/${path}`).split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
}

/** Whether a call failed with an errno, and with which one. */
export function codeOf(error: unknown): string | undefined {
  const { errno, code } = error as Partial<SystemCallError>;
  return typeof errno === "number" && errno < 0 ? code : undefined;
}

/** The error of a call as just-bash's commands read it: with the operation and the path that the shell has named. What is no errno stays as it is. */
export function bashError(error: unknown, operation: string, path: string, dest?: string): unknown {
  return codeOf(error) === undefined ? error : systemCallError(errnoOf(error), operation, path, dest);
}

/** EINVAL for a directory that was to go into itself. It has no `errno`, so that {@link bashError} leaves its text: programs look for the last two words. */
export function intoItself(operation: string, path: string, target: string): Error {
  const message = `EINVAL: a directory cannot go into itself, ${operation} '${path}' -> '${target}'`;
  return Object.assign(new Error(message), { code: "EINVAL", syscall: operation, path, dest: target });
}
