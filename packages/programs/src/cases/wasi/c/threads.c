/*
 * Threads that share descriptors: all of them append to one open file, and read another one at one position. With pthreads on Linux and in programs of Emscripten; with `thread-spawn` in
 * others of WebAssembly, where the C library of the compiler has no threads, so that this file has all that it needs.
 */
#define THREADS 3
#define APPENDS 500
#define RECORD 16
#define INPUT 1000

#if defined(__wasm__) && !defined(__EMSCRIPTEN__)
typedef unsigned int size_t;
#define IMPORT(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
typedef struct {
  const void *at;
  size_t length;
} Vector;
IMPORT(fd_read) int fd_read(int, const Vector *, size_t, size_t *);
IMPORT(fd_write) int fd_write(int, const Vector *, size_t, size_t *);
IMPORT(fd_close) int fd_close(int);
IMPORT(path_open) int path_open(int, int, const char *, size_t, int, long long, long long, int, int *);
IMPORT(proc_exit) _Noreturn void proc_exit(int);
__attribute__((import_module("wasi"), import_name("thread-spawn"))) int thread_spawn(void *);

static int read_some(int fd, void *into, size_t length) {
  Vector vector = {into, length};
  size_t got = 0;
  return fd_read(fd, &vector, 1, &got) == 0 ? (int)got : -1;
}
static int write_some(int fd, const void *from, size_t length) {
  Vector vector = {from, length};
  size_t wrote = 0;
  return fd_write(fd, &vector, 1, &wrote) == 0 ? (int)wrote : -1;
}
#define APPEND 1
static int open_file(const char *path, size_t length, int flags) {
  int fd = -1;
  /* The first preopen; rights to read, write and seek; a file that is there is opened. */
  return path_open(3, 0, path, length, 1, 0x66, 0x66, flags, &fd) == 0 ? fd : -1;
}
#define OPEN(path, flags) open_file(path, sizeof path - 1, flags)
#define close_file fd_close
#define leave proc_exit

/* What a thread begins with: the end of its stack. */
typedef struct {
  void *stack;
  int number;
} Start;
static Start starts[THREADS];
static _Alignas(16) char stacks[THREADS][16384];
static void work(int number);
__attribute__((used)) void run_thread(int id, Start *start) {
  if (id <= 0) leave(90);
  work(start->number);
}
/* The thread's own stack, before any function of C uses one. */
__attribute__((naked, export_name("wasi_thread_start"))) void wasi_thread_start(int id, Start *start) {
  __asm__ volatile(
      ".globaltype __stack_pointer, i32\n"
      "local.get 1\n"
      "i32.load 0\n"
      "global.set __stack_pointer\n"
      "local.get 0\n"
      "local.get 1\n"
      "call run_thread\n"
      "return\n");
}
static void start_thread(int number) {
  starts[number].stack = stacks[number] + sizeof stacks[number];
  starts[number].number = number;
  /* A worker may not be waiting yet. */
  while (thread_spawn(&starts[number]) < 0)
    ;
}
#define WAIT(word, value) __builtin_wasm_memory_atomic_wait32(word, value, -1)
#define WAKE(word) __builtin_wasm_memory_atomic_notify(word, 1)
#else
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#define APPEND O_APPEND
#define OPEN(path, flags) open(path, O_RDWR | O_CREAT | flags, 0666)
#define read_some read
#define write_some write
#define close_file close
#define leave exit
static pthread_t threads[THREADS];
static void work(int number);
static void *run(void *number) {
  work((int)(long)number);
  return 0;
}
static void start_thread(int number) {
  if (pthread_create(&threads[number], 0, run, (void *)(long)number)) leave(91);
}
#define WAIT(word, value) usleep(1000)
#define WAKE(word) (void)(word)
#endif

static int output, input, passed, records, ended;

static void put_number(char *to, int value) {
  for (int n = 3; n >= 0; n--, value /= 10) to[n] = (char)('0' + value % 10);
}

static void work(int number) {
  char record[RECORD] = "thread 0 0000   ";
  record[7] = (char)('0' + number);
  for (int n = 0; n < APPENDS; n++) {
    put_number(record + 9, n);
    record[15] = '\n';
    if (write_some(output, record, RECORD) != RECORD) leave(92);
  }
  char bytes[RECORD];
  for (int got; (got = read_some(input, bytes, RECORD)) != 0;) {
    if (got != RECORD) leave(93);
    __atomic_add_fetch(&records, 1, __ATOMIC_SEQ_CST);
  }
  /* A descriptor of one thread is another one's: each closes what the one before has opened. */
  int mine = OPEN("mine", 0);
  int theirs = __atomic_exchange_n(&passed, mine, __ATOMIC_SEQ_CST);
  if (mine < 0 || (theirs >= 0 && close_file(theirs) != 0)) leave(94);
  __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
  WAKE(&ended);
}

static int run_all(void) {
  passed = -1;
  output = OPEN("log", APPEND);
  int made = OPEN("input", 0);
  char record[RECORD] = "record 0000    \n";
  for (int n = 0; n < INPUT; n++) {
    put_number(record + 7, n);
    if (write_some(made, record, RECORD) != RECORD) leave(95);
  }
  close_file(made);
  input = OPEN("input", 0);
  for (int n = 0; n < THREADS; n++) start_thread(n);
  for (int seen; (seen = __atomic_load_n(&ended, __ATOMIC_SEQ_CST)) < THREADS;) WAIT(&ended, seen);
  if (records != INPUT) leave(96);
  if (write_some(1, "all records were read once\n", 27) != 27 || close_file(passed) != 0) leave(97);
  return 7;
}

#if defined(__wasm__) && !defined(__EMSCRIPTEN__)
__attribute__((export_name("_start"))) void start(void) { leave(run_all()); }
#else
int main(void) { return run_all(); }
#endif
