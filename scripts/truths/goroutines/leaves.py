"""Ways for a goroutine to stand: each writes the statements with which it does.

A leaf's function is named leafN: what stands above it on the stack stands still in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scripts.truths.goroutines.text import Text


@dataclass(frozen=True, slots=True)
class Leaf:
    """`write` returns statements, the last of which blocks; $ is a number of its own in them."""

    name: str
    declared: str
    body: str
    imports: tuple[str, ...] = ()
    since: tuple[int, int] = (1, 21)
    once: bool = False
    cgo: bool = False
    weight: int = 3


LEAVES: tuple[Leaf, ...] = (
    Leaf("receive", "var ch$ = make(chan int)", "arrive()\n<-ch$"),
    Leaf("send", "var ch$ = make(chan string)", 'arrive()\nch$ <- "x"'),
    Leaf("receive from nil", "var ch$ chan [3]int", "arrive()\n<-ch$", weight=1),
    Leaf("send to nil", "var ch$ chan error", "arrive()\nch$ <- nil", weight=1),
    Leaf("full", "var ch$ = make(chan int, 1)", "ch$ <- 1\narrive()\nch$ <- 2"),
    Leaf("range", "var ch$ = make(chan int, 4)", "arrive()\nfor x := range ch$ { sink.Add(uint64(x)) }"),
    Leaf("select nothing", "", "arrive()\nselect {}", weight=1),
    Leaf(
        "select", "var ch$, other$ = make(chan int), make(chan struct{}, 1)",
        "arrive()\nselect {\ncase x := <-ch$:\nsink.Add(uint64(x))\ncase <-other$:\n}",
    ),
    Leaf(
        "select both", "var ch$, other$, nil$ = make(chan int), make(chan string), (chan int)(nil)",
        "arrive()\nselect {\ncase <-ch$:\ncase other$ <- \"x\":\ncase <-nil$:\ncase nil$ <- 3:\n}",
    ),
    Leaf("select one", "var ch$ = make(chan int)", "arrive()\nselect {\ncase <-ch$:\n}", weight=1),
    Leaf("mutex", "var mu$ sync.Mutex", "mu$.Lock()\narrive()\nmu$.Lock()", ("sync",)),
    Leaf("read lock", "var mu$ sync.RWMutex", "mu$.Lock()\narrive()\nmu$.RLock()", ("sync",)),
    Leaf("write lock", "var mu$ sync.RWMutex", "mu$.RLock()\narrive()\nmu$.Lock()", ("sync",)),
    Leaf("wait group", "var wg$ sync.WaitGroup", "wg$.Add(1)\narrive()\nwg$.Wait()", ("sync",)),
    Leaf(
        "condition", "var cond$ = sync.NewCond(new(sync.Mutex))",
        "cond$.L.Lock()\narrive()\ncond$.Wait()", ("sync",),
    ),
    Leaf("sleep", "", "arrive()\ntime.Sleep(time.Hour)", ("time",)),
    Leaf("after", "", "arrive()\n<-time.After(time.Hour)", ("time",)),
    Leaf("ticker", "var tick$ = time.NewTicker(time.Hour)", "arrive()\n<-tick$.C", ("time",)),
    Leaf(
        "context", "",
        "ctx, cancel := context.WithTimeout(context.Background(), time.Hour)\ndefer cancel()\n"
        "arrive()\n<-ctx.Done()", ("context", "time"),
    ),
    Leaf(
        "accept", "",
        'l, err := net.Listen("tcp", "127.0.0.1:0")\nif err != nil { panic(err) }\narrive()\nl.Accept()',
        ("net",), weight=2,
    ),
    Leaf("os pipe", "var r$, w$, _ = os.Pipe()", "arrive()\nr$.Read(make([]byte, 10))", ("os",)),
    Leaf(
        "io pipe", "var r$, w$ = io.Pipe()", "arrive()\nr$.Read(make([]byte, 10))", ("io",),
    ),
    Leaf(
        "system call", "",
        "var fds [2]int\nsyscall.Pipe(fds[:])\narrive()\nsyscall.Read(fds[0], make([]byte, 1))",
        ("syscall",),
    ),
    Leaf(
        "raw system call", "",
        "arrive()\nsyscall.Syscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)", ("syscall",), weight=2,
    ),
    Leaf("busy", "", "arrive()\nfor { sink.Add(1) }", once=True, weight=1),
    Leaf("yielding", "", "arrive()\nfor { runtime.Gosched() }", ("runtime",), once=True, weight=1),
    Leaf("ends", "", "arrive()", weight=2),
    Leaf("exits", "", "arrive()\nruntime.Goexit()", ("runtime",), weight=1),
    Leaf(
        "signals", "", "ch := make(chan os.Signal, 1)\nsignal.Notify(ch, syscall.SIGUSR1)\narrive()\n<-ch",
        ("os", "os/signal", "syscall"), weight=1,
    ),
)  # fmt: skip


def chosen(text: Text, allowed: Callable[[Leaf], bool]) -> Leaf:
    known = [
        leaf for leaf in LEAVES
        if leaf.since <= text.go and (text.cgo or not leaf.cgo)
        and not (leaf.once and leaf.name in text.used) and allowed(leaf)
    ]  # fmt: skip
    leaf = text.choices.weighted(*((leaf.weight, leaf) for leaf in known))
    text.used.add(leaf.name)
    return leaf


def written(text: Text, allowed: Callable[[Leaf], bool] = lambda _: True) -> str:
    """The name of a function that stands."""
    leaf = chosen(text, allowed)
    number = text.fresh()
    text.need(*leaf.imports)
    text.arriving += 1
    if leaf.declared:
        text.declare(leaf.declared.replace("$", str(number)))
    body = leaf.body.replace("$", str(number))
    if text.choices.chance(60):
        text.noted += 1
        body = f"var local [2]uint64\nnote({number}, &local)\n{body}\nuse(&local)"
    inline = "" if text.choices.chance(30) else "//go:noinline\n"
    text.declare(f"{inline}func leaf{number}() {{\n{body}\n}}")
    return f"leaf{number}"
