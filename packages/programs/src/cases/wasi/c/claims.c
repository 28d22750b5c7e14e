/*
 * One of two programs that work at once: each claims numbers, by files that exactly one of them creates, writes a line for each into one log, and replaces one file by its own. Its
 * arguments are its name and that of the other one, for which it waits; its own name again if there is none.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "names.h"

#define CLAIMS 300

static void check(int holds, const char *what) {
  if (holds) return;
  printf("%s: %s\n", what, error_name(errno));
  exit(1);
}

/* Claims a number. Returns whether it was free. */
static int claim(int number) {
  char path[32];
  snprintf(path, sizeof path, "claims/%d", number);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (fd < 0) {
    check(errno == EEXIST, path);
    return 0;
  }
  check(write(fd, path, strlen(path)) == (ssize_t)strlen(path) && close(fd) == 0, "write a claim");
  return 1;
}

static void replace(const char *own) {
  int fd = open(own, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  check(fd >= 0 && write(fd, "whole", 5) == 5 && close(fd) == 0 && rename(own, "last") == 0, "replace");
  char text[8] = {0};
  fd = open("last", O_RDONLY);
  check(fd >= 0 && read(fd, text, sizeof text) == 5 && close(fd) == 0 && strcmp(text, "whole") == 0, "read the last");
}

static int entries(const char *path) {
  int count = 0;
  DIR *dir = opendir(path);
  check(dir != NULL, "list");
  while (readdir(dir)) count++;
  closedir(dir);
  return count;
}

int main(int argc, char **argv) {
  check(argc == 3, "arguments");
  char own[32], here[32], other[32];
  snprintf(own, sizeof own, "own-%s", argv[1]);
  snprintf(here, sizeof here, "here-%s", argv[1]);
  snprintf(other, sizeof other, "here-%s", argv[2]);
  check(mkdir("claims", 0777) == 0 || errno == EEXIST, "mkdir");
  int log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0666), mine = open(here, O_WRONLY | O_CREAT, 0666), claimed = 0;
  check(log >= 0 && mine >= 0, "open");
  for (struct stat at; stat(other, &at) != 0;) check(errno == ENOENT, "wait");
  for (int n = 0; n < CLAIMS; n++) {
    if (!claim(n)) continue;
    char line[32];
    int length = snprintf(line, sizeof line, "%d was free\n", n);
    check(write(log, line, length) == length, "log");
    claimed++;
    replace(own);
    check(entries("claims") >= claimed, "list");
  }
  close(log);
  close(mine);
  printf("%d entries\n", entries("claims") - 2);
  return 0;
}
