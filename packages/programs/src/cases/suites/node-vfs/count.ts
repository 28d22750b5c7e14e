/** The variable with the path of the file into which a test's process writes how many trees it has made. */
export const COUNT_FILE = "THREADFS_SUITE_COUNT";
