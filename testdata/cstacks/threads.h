#include <stdint.h>

uintptr_t place_at(int);
long place_tid(int);
void on_thread(int);
void start_all(void);
void *large_block(void);
extern volatile int ready;
extern void enter(int); // Go's
