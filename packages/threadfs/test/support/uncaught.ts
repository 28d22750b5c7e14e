/** The next exception that is not caught. (A listener for "uncaughtException" would share it with the test runner.) */
export function uncaught(): Promise<unknown> {
  return new Promise((resolve) => {
    process.setUncaughtExceptionCaptureCallback((thrown) => {
      process.setUncaughtExceptionCaptureCallback(null);
      resolve(thrown);
    });
  });
}
