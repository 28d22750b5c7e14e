/** The symbols of `using`, which Node defines where the engine has none. */
export const DISPOSE: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for("nodejs.dispose");
export const ASYNC_DISPOSE: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose");
