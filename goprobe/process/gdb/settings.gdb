# Lines that GDB comments on at length when they come through its machine interface.
# Every signal is the program's own, but SIGTRAP, by which we stop it.
handle all nostop noprint pass
handle SIGINT nostop noprint pass
# A program that replaces itself takes its breakpoints' addresses with it.
catch exec
# A bug of GDB's is to end it, without a question and without a core file.
maint set internal-error quit yes
maint set internal-error corefile no
