// Loads libraries and prints where their Go programs put things: host LIBRARY NAME ...
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *what[] = {"text", "data", "heap"};
static int zeroed[100];

#ifdef LINKED
unsigned long Address_one(long index);
#endif

int main(int argc, char **argv) {
	char symbol[64];
	for (int i = 1; i + 1 < argc; i += 2) {
		unsigned long (*address)(long);
#ifdef LINKED
		address = Address_one;
#else
		void *library = dlopen(argv[i], RTLD_NOW);
		if (!library) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		snprintf(symbol, sizeof symbol, "Address_%s", argv[i + 1]);
		address = dlsym(library, symbol);
#endif
		for (int index = 0; index < 3; index++)
			printf("%s.%s 0x%lx\n", argv[i + 1], what[index], address(index));
	}
	printf("c.malloc 0x%lx\n", (unsigned long)malloc(100));
	printf("c.text 0x%lx\n", (unsigned long)main);
	printf("c.bss 0x%lx\n", (unsigned long)zeroed);
	printf("ready\n");
	fflush(stdout);
	pause();
	return 0;
}
