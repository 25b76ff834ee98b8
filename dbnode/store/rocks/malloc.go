package rocks

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
__attribute__((constructor)) static void one_arena(void) { mallopt(M_ARENA_MAX, 1); }
#endif
*/
import "C"

// The C code above makes all threads share one malloc heap. By default glibc
// gives each its own, up to eight per core; Go moves its calls between threads,
// so the blocks of the cache come and go in all of them, and the holes more than
// double the memory of a node: 190 MB instead of 80 with a million users. glibc
// takes the setting only before the second thread starts, hence a constructor.
