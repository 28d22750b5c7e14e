/*
 * The C rival: access(2) and stat(2) in a loop, with nothing between the loop and the system call.
 *
 *   syscall EXISTING MISSING ORDER
 *
 * EXISTING and MISSING hold one path a line, ORDER the native uint32 indices in which they are visited. Paths lie in
 * memory in the order of the list, as the JavaScript strings of the other rivals do, so a scattered visit costs here
 * what it costs there. Commands come on stdin, one a line: "access e COUNT", "access m COUNT", "stat e COUNT",
 * "stat m COUNT" or "empty e COUNT" (a system call that does nothing). Each is answered by "NANOSECONDS FOUND" on
 * stdout: nanoseconds a call in the median of SLICES equal parts of the loop, and how many calls answered 0. The visit
 * goes on where the last command of its kind stopped.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct list {
  char **visit; /* paths in the order of the visit */
  size_t count;
  size_t next;
};

/* As in lib/rounds.js: other work on the machine spoils some parts of a loop, not the median of them. */
#define SLICES 300

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static char *slurp(const char *name, size_t *size) {
  FILE *file = fopen(name, "rb");
  if (!file) fail(name);
  if (fseek(file, 0, SEEK_END) != 0) fail(name);
  long end = ftell(file);
  if (end < 0 || fseek(file, 0, SEEK_SET) != 0) fail(name);
  char *bytes = malloc((size_t)end + 1);
  if (!bytes) fail("malloc");
  if (fread(bytes, 1, (size_t)end, file) != (size_t)end) fail(name);
  fclose(file);
  bytes[end] = 0;
  *size = (size_t)end;
  return bytes;
}

static struct list read_list(const char *name, const uint32_t *order, size_t count) {
  size_t size;
  char *bytes = slurp(name, &size);
  char **paths = malloc(count * sizeof(char *));
  struct list list = {malloc(count * sizeof(char *)), count, 0};
  if (!paths || !list.visit) fail("malloc");
  size_t found = 0;
  for (char *line = bytes; line < bytes + size && found < count;) {
    char *end = strchr(line, '\n');
    if (!end) break;
    *end = 0;
    paths[found++] = line;
    line = end + 1;
  }
  if (found != count) {
    fprintf(stderr, "%s: %zu paths where %zu were expected\n", name, found, count);
    exit(2);
  }
  for (size_t i = 0; i < count; i++) {
    if (order[i] >= count) {
      fprintf(stderr, "order: index out of range\n");
      exit(2);
    }
    list.visit[i] = paths[order[i]];
  }
  free(paths);
  return list;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static unsigned long run(const char *call, struct list *list, unsigned long count) {
  struct stat st;
  unsigned long found = 0;
  size_t at = list->next;
  char **visit = list->visit;
  size_t size = list->count;
  if (call[0] == 'a') {
    for (unsigned long i = 0; i < count; i++) {
      found += access(visit[at], F_OK) == 0;
      if (++at == size) at = 0;
    }
  } else if (call[0] == 's') {
    for (unsigned long i = 0; i < count; i++) {
      found += stat(visit[at], &st) == 0;
      if (++at == size) at = 0;
    }
  } else {
    for (unsigned long i = 0; i < count; i++) found += syscall(SYS_getppid) > 0;
  }
  list->next = at;
  return found;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Runs `count` calls in SLICES parts; nanoseconds a call in the median part. */
static double run_sliced(const char *call, struct list *list, unsigned long count, unsigned long *found) {
  static double ns[SLICES];
  unsigned long done = 0;
  size_t slices = 0;
  *found = 0;
  for (unsigned long i = 1; i <= SLICES; i++) {
    unsigned long until = count / SLICES * i + count % SLICES * i / SLICES;
    if (until == done) continue;
    double start = now();
    *found += run(call, list, until - done);
    ns[slices++] = (now() - start) / (double)(until - done);
    done = until;
  }
  qsort(ns, slices, sizeof ns[0], compare);
  return slices == 0 ? 0 : ns[slices / 2];
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s EXISTING MISSING ORDER\n", argv[0]);
    return 2;
  }
  size_t size;
  uint32_t *order = (uint32_t *)slurp(argv[3], &size);
  size_t count = size / sizeof(uint32_t);
  if (count == 0) return 2;
  struct list existing = read_list(argv[1], order, count);
  struct list missing = read_list(argv[2], order, count);
  char line[128];
  while (fgets(line, sizeof line, stdin)) {
    char call[16], which;
    unsigned long times;
    if (sscanf(line, "%15s %c %lu", call, &which, &times) != 3) return 2;
    struct list *list = which == 'm' ? &missing : &existing;
    unsigned long found;
    double ns = run_sliced(call, list, times, &found);
    printf("%.3f %lu\n", ns, found);
    fflush(stdout);
  }
  return 0;
}
