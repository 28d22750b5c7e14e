// What NAPI_RS_NATIVE_LIBRARY_PATH names: the JavaScript of rolldown requires it in place of its binding.
module.exports = (globalThis as unknown as { binding: { exports: object } }).binding.exports;
