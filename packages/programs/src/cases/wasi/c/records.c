/* A file of records that are written, read, sorted and removed at random places, as a database does. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <stdio.h>
#include <string.h>

#define RECORDS 2000
#define PAGE 4096

typedef struct {
  uint32_t key, version;
  char text[92];
} Record;

static uint32_t state = 1;
static uint32_t next(uint32_t below) {
  state = state * 1664525 + 1013904223;
  return (state >> 8) % below;
}

static uint32_t sum_of(int fd) {
  uint32_t sum = 0;
  unsigned char page[PAGE];
  long at = 0;
  for (ssize_t got; (got = pread(fd, page, PAGE, at)) > 0; at += got)
    for (ssize_t n = 0; n < got; n++) sum = sum * 31 + page[n];
  return sum;
}

int main(void) {
  int fd = open("records", O_RDWR | O_CREAT, 0666), journal = open("journal", O_RDWR | O_CREAT | O_APPEND, 0666);
  long written = 0, found = 0;
  for (int n = 0; n < 20000; n++) {
    Record record;
    uint32_t key = next(RECORDS);
    ssize_t got = pread(fd, &record, sizeof record, (long)key * sizeof record);
    int is_there = got == sizeof record && record.version != 0;
    if (is_there && record.key != key) return 3;
    found += is_there;
    if (next(3) == 0) continue;
    memset(&record, 0, sizeof record);
    record.key = key;
    record.version = n + 1;
    snprintf(record.text, sizeof record.text, "record %u of round %d", key, n);
    if (n % 16 == 0) write(journal, &record, sizeof record);
    if (pwrite(fd, &record, sizeof record, (long)key * sizeof record) != sizeof record) return 4;
    written++;
  }
  struct stat at, log;
  fstat(fd, &at);
  fstat(journal, &log);
  printf("%ld written, %ld found, %ld bytes, journal %ld, sum %u\n", written, found, (long)at.st_size, (long)log.st_size, sum_of(fd));
  /* The journal in one piece of more than any buffer inside. */
  char *all = malloc(log.st_size);
  lseek(journal, 0, SEEK_SET);
  printf("read %ld\n", (long)read(journal, all, log.st_size));
  int copy = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0666);
  printf("wrote %ld, sum %u\n", (long)write(copy, all, log.st_size), sum_of(copy));
  ftruncate(fd, 50000);
  printf("sum %u\n", sum_of(fd));
  lseek(fd, 1 << 20, SEEK_SET);
  write(fd, "end", 3);
  printf("sum %u\n", sum_of(fd));
  return sum_of(copy) == sum_of(journal) ? 0 : 1;
}
