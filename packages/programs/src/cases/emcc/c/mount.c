/* Programs with WASMFS: the directory /w of the tree is their /mnt, and their working directory, before main() begins. */
#include <emscripten/wasmfs.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void mount_tree(void) {
  if (wasmfs_create_directory("/mnt", 0777, wasmfs_create_node_backend("/w")) || chdir("/mnt")) abort();
}
