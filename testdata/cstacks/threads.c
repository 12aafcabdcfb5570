#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "threads.h"

typedef struct { uintptr_t at; long tid; } place;
static place places[32];
volatile int ready;

static void tell(int n, void *at) {
	places[n].at = (uintptr_t)at;
	places[n].tid = syscall(SYS_gettid);
}
uintptr_t place_at(int n) { return places[n].at; }
long place_tid(int n) { return places[n].tid; }

// On whatever thread Go calls it.
void on_thread(int n) { volatile char local[64]; local[0] = 1; tell(n, (void *)local); }

// Threads of C: one that stays in C, one that calls Go, one with a stack of its own making, and
// one with a signal stack that is part of its stack.
static void *stays(void *number) {
	volatile char local[64];
	local[0] = 1;
	tell((int)(intptr_t)number, (void *)local);
	ready++;
	for (;;) pause();
}
static __attribute__((noinline)) void deeper(int number, int depth) {
	volatile char large[5000];
	large[0] = 1;
	if (depth) deeper(number, depth - 1);
	else { tell(number + 1, (void *)large); enter(number); }
	large[1] = 1;
}
static void *calls(void *number) {
	volatile char local[64];
	local[0] = 1;
	tell((int)(intptr_t)number, (void *)local);
	deeper((int)(intptr_t)number, 12);
	return NULL;
}
static void *calls_signalled(void *number) {
	volatile char handlers[1 << 15];
	stack_t st = {.ss_sp = (void *)handlers, .ss_size = sizeof handlers};
	sigaltstack(&st, NULL);
	tell((int)(intptr_t)number, (void *)(handlers + 100));
	deeper((int)(intptr_t)number + 1, 0);
	handlers[0] = 1;
	return NULL;
}

static char own[1 << 18] __attribute__((aligned(4096)));

static void start(void *(*what)(void *), int number, void *stack, size_t size) {
	pthread_t thread;
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	if (stack) pthread_attr_setstack(&attr, stack, size);
	else if (size) pthread_attr_setstacksize(&attr, size);
	pthread_create(&thread, &attr, what, (void *)(intptr_t)number);
}
void start_all(void) {
	start(stays, 4, NULL, 0);
	start(calls, 6, NULL, 1 << 20);
	start(calls, 8, mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1 << 18);
	start(calls, 10, own, sizeof own);
	start(calls_signalled, 12, NULL, 1 << 19);
}
void *large_block(void) { char *p = malloc(300000); memset(p, 1, 300000); return p + 1000; }
