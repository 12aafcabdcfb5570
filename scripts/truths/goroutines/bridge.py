"""Files that programs with C or assembly have: calls that stand, calls back, threads of C's own."""

HEADER = """#include <stdint.h>

void call_back(int number, int depth);
void stand_still(int depth);
void read_nothing(void);
void on_thread_of_c(int number, long stack, int how);
int told(void);
uintptr_t told_at(int);
long told_by(int);
"""

SOURCE = r"""#include "bridge.h"
#include "_cgo_export.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct { uintptr_t at; long by; } places[512];
static int count;

// Where a local of the caller is, and on which thread's stack.
static void tell(volatile void *at) {
	int n = __atomic_fetch_add(&count, 1, __ATOMIC_SEQ_CST);
	if (n < 512) {
		places[n].by = syscall(SYS_gettid);
		places[n].at = (uintptr_t)at;
	}
}
int told(void) { return count < 512 ? count : 512; }
uintptr_t told_at(int n) { return places[n].at; }
long told_by(int n) { return places[n].by; }

__attribute__((noinline)) void call_back(int number, int depth) {
	volatile char local[300];
	local[0] = 1;
	if (depth) call_back(number, depth - 1);
	else { tell(local); enterGo(number); }
	local[1] = 1;
}
__attribute__((noinline)) void stand_still(int depth) {
	volatile char local[700];
	local[0] = 1;
	if (depth) stand_still(depth - 1);
	else { tell(local); for (;;) pause(); }
	local[1] = 1;
}
void read_nothing(void) {
	volatile char local[16];
	int fds[2];
	if (pipe(fds)) abort();
	tell(local);
	if (read(fds[0], (void *)local, 1)) abort();
}

typedef struct { int number, how; } task;
static void *run(void *given) {
	task t = *(task *)given;
	volatile char local[64], handlers[1 << 15];
	local[0] = handlers[0] = 1;
	tell(local);
	if (t.how == 2) {
		stack_t st = {.ss_sp = (void *)handlers, .ss_size = sizeof handlers};
		sigaltstack(&st, NULL);
		tell(handlers + 99);
	}
	call_back(t.number, 3);
	local[1] = handlers[1] = 1;
	for (;;) pause();
	return NULL;
}
void on_thread_of_c(int number, long stack, int how) {
	pthread_t thread;
	pthread_attr_t attr;
	task *t = malloc(sizeof *t);
	t->number = number, t->how = how;
	pthread_attr_init(&attr);
	if (how == 1) {
		void *own = mmap(NULL, stack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pthread_attr_setstack(&attr, own, stack);
	} else if (stack) pthread_attr_setstacksize(&attr, stack);
	if (pthread_create(&thread, &attr, run, t)) abort();
}
"""

EXPORTS = """package main

// #include "bridge.h"
// #cgo LDFLAGS: -lpthread
import "C"

import "fmt"

var callbacks = map[int]func(){}

// callback is called as variables get their first values: some of them start goroutines.
func callback(number int, f func()) bool {
	callbacks[number] = f
	return true
}

//export enterGo
func enterGo(number C.int) { callbacks[int(number)]() }

func init() {
	tellMore = func() {
		for i := 0; i < int(C.told()); i++ {
			fmt.Printf("cstack %#x %d\\n", uintptr(C.told_at(C.int(i))), int(C.told_by(C.int(i))))
		}
	}
}
"""

ASSEMBLY = """#include "textflag.h"
#include "funcdata.h"

TEXT \xb7viaAssembly(SB), 0, $8-8
	NO_LOCAL_POINTERS
	MOVQ fn+0(FP), DX
	MOVQ (DX), AX
	CALL AX
	RET

TEXT \xb7viaFrame(SB), 0, $360-8
	NO_LOCAL_POINTERS
	MOVQ fn+0(FP), DX
	MOVQ (DX), AX
	CALL AX
	RET
"""

DECLARED = """package main

func viaAssembly(fn func())

func viaFrame(fn func())
"""
