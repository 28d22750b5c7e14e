/* One call on files that other programs share, by its arguments: prints what it returns. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "names.h"

static void print_result(long result) {
  if (result < 0) printf("%s\n", error_name(errno));
  else printf("%ld\n", result);
}

static void write_text(const char *path, const char *text, int flags) {
  int fd = open(path, O_WRONLY | flags, 0666);
  if (fd < 0) {
    print_result(fd);
    return;
  }
  print_result(write(fd, text, strlen(text)));
  close(fd);
}

static void read_text(const char *path) {
  char text[256] = {0};
  int fd = open(path, O_RDONLY);
  long got = fd < 0 ? fd : read(fd, text, sizeof text - 1);
  if (got < 0) print_result(got);
  else printf("%s\n", text);
  if (fd >= 0) close(fd);
}

static void print_attributes(const char *path) {
  struct stat at;
  if (lstat(path, &at) < 0) print_result(-1);
  else if (S_ISREG(at.st_mode)) printf("file of %ld, %o\n", (long)at.st_size, at.st_mode & 0777);
  else printf("%s\n", S_ISDIR(at.st_mode) ? "directory" : "link");
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path) {
  char *found[100];
  int count = 0;
  DIR *dir = opendir(path);
  if (!dir) {
    print_result(-1);
    return;
  }
  for (struct dirent *entry; (entry = readdir(dir)) && count < 100;)
    if (entry->d_name[0] != '.') found[count++] = strdup(entry->d_name);
  closedir(dir);
  qsort(found, count, sizeof *found, by_name);
  for (int n = 0; n < count; n++) printf("%s\n", found[n]);
}

int main(int argc, char **argv) {
  const char *call = argc > 1 ? argv[1] : "", *path = argc > 2 ? argv[2] : "", *other = argc > 3 ? argv[3] : "";
  if (!strcmp(call, "write")) write_text(path, other, O_CREAT | O_TRUNC);
  else if (!strcmp(call, "rewrite")) write_text(path, other, 0);
  else if (!strcmp(call, "create")) write_text(path, other, O_CREAT | O_EXCL);
  else if (!strcmp(call, "append")) write_text(path, other, O_CREAT | O_APPEND);
  else if (!strcmp(call, "read")) read_text(path);
  else if (!strcmp(call, "stat")) print_attributes(path);
  else if (!strcmp(call, "list")) list(path);
  else if (!strcmp(call, "mkdir")) print_result(mkdir(path, 0777));
  else if (!strcmp(call, "rmdir")) print_result(rmdir(path));
  else if (!strcmp(call, "unlink")) print_result(unlink(path));
  else if (!strcmp(call, "rename")) print_result(rename(path, other));
  else if (!strcmp(call, "symlink")) print_result(symlink(path, other));
  else if (!strcmp(call, "truncate")) print_result(truncate(path, atol(other)));
  else return 1;
  fflush(stdout);
  return 0;
}
