"""Goroutines that wait for ever, with values that their frames alone hold.

Each is one function (and one that it calls): it makes values, tells of them, and blocks. While it
runs nothing else does, so that what they tell is not mixed.
"""

from __future__ import annotations

from scripts.truths.choices import Choices
from scripts.truths.heaps.library import Maker
from scripts.truths.heaps.types import pointer

_LOCALS = (
    ("{v}l := {v}", "runtime.KeepAlive({v}l)"),
    ("{v}l := struct {{ n int; p {t} }}{{1, {v}}}; {v}q := &{v}l", "runtime.KeepAlive({v}q)"),
    ("var {v}l [3]{t}; {v}l[length % 3] = {v}", "runtime.KeepAlive(&{v}l)"),
    ("{v}l := make([]{t}, 3); {v}l[length % 3] = {v}", "runtime.KeepAlive({v}l)"),
    ("{v}l := map[int]{t}{{1: {v}}}", "runtime.KeepAlive({v}l); length += 0 * len({v}l)"),
    ("{v}l := func() {{ runtime.KeepAlive({v}) }}", "{v}l()"),
    ("var {v}l any = {v}", "runtime.KeepAlive({v}l)"),
    ("var {v}l Shape = {v}", "length += 0 * {v}l.Area(); runtime.KeepAlive({v}l)"),
    ("defer func() {{ runtime.KeepAlive({v}) }}()", ""),
    ("{v}l := &{v}; {v}q := &{v}l", "runtime.KeepAlive(*{v}q)"),
    ("{v}l := make(chan {t}, 2); {v}l <- {v}", "runtime.KeepAlive({v}l)"),
    ("defer deferred({v})", ""),
    ("{v}l := [2][]{t}{{{{{v}}}, nil}}", "runtime.KeepAlive(&{v}l)"),
    ("{v}l := append([]any(nil), 1, {v})", "runtime.KeepAlive({v}l)"),
    ("result = append(result, {v})", ""),
)
"""How a value `{v}` of type `{t}` is held: before the goroutine blocks, and afterwards."""

_BLOCKS = (
    "<-never",
    "forever()",
    "<-make(chan int)",
    "make(chan {t}) <- {v}",
    "make(chan any) <- any({v})",
    "make(chan [2]{t}) <- [2]{t}{{nil, {v}}}",
    "make(chan struct {{ n int; p {t} }}) <- struct {{ n int; p {t} }}{{2, {v}}}",
    "make(chan Shape) <- {v}",
    "make(chan []{t}) <- []{t}{{{v}}}",
    "make(chan func()) <- func() {{ runtime.KeepAlive({v}) }}",
    "select {{ case make(chan {t}) <- {v}: case x := <-make(chan string): runtime.KeepAlive(x); "
    "case make(chan int) <- 3: }}",
    "func() {{ var x {t}; select {{ case x = <-make(chan {t}): case make(chan any) <- {v}: }}; "
    "runtime.KeepAlive(x) }}()",
    "{{ var m sync.Mutex; m.Lock(); m.Lock() }}",
    "{{ var m sync.RWMutex; m.Lock(); m.RLock() }}",
    "{{ var w sync.WaitGroup; w.Add(1); w.Wait() }}",
    "{{ c := sync.NewCond(&sync.Mutex{{}}); c.L.Lock(); c.Wait() }}",
    "time.Sleep(time.Hour)",
    "<-time.After(time.Hour)",
    "{{ c, _ := context.WithTimeout(context.Background(), time.Hour); <-c.Done() }}",
    "{{ var p [2]int; syscall.Pipe(p[:]); var b [1]byte; syscall.Read(p[0], b[:]) }}",
    "{{ r, w, _ := os.Pipe(); var b [1]byte; r.Read(b[:]); runtime.KeepAlive(w) }}",
    "func() {{ defer func() {{ <-never }}(); panic({v}) }}()",
    "func() {{ defer func() {{ e := recover(); <-never; runtime.KeepAlive(e) }}(); panic({v}) }}()",
    "sort.Slice([]{t}{{{v}, {v}}}, func(i, j int) bool {{ <-never; return true }})",
    "func() {{ var o sync.Once; o.Do(func() {{ <-never; runtime.KeepAlive({v}) }}) }}()",
    "{{ runtime.LockOSThread(); <-never }}",
    "for x := range make(chan {t}) {{ runtime.KeepAlive(x) }}",
)
"""Where a goroutine blocks; `{v}` is a value that nothing else need hold."""


class Parked:
    """The goroutines of one program. `functions` are their sources, `starts` what starts them."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.starts: list[str] = []

    def add(self, maker: Maker, lines: list[str], parameter: tuple[str, str] | None) -> None:
        """`lines` are what the maker says, and empty; `parameter`: something made before that the
        goroutine is handed, and its type."""
        choices, number = maker.choices, len(self.functions)
        after: list[str] = []
        for _ in range(choices.between(1, 3)):
            self._local(maker, after)
        self._block(maker)
        body = "".join(f"\t{line}\n" for line in [*lines, *reversed(after)])
        lines.clear()
        given = f"given {parameter[1]}" if parameter else "given int"
        head = f"//go:noinline\nfunc parked{number}({given}) (result []any) {{\n"
        self.functions.append(f"{head}{body}\truntime.KeepAlive(given)\n\treturn result\n}}")
        through = choices.below(3)
        call = f"parked{number}({parameter[0] if parameter else 0})"
        if through == 0:
            self.starts.append(f"go {call}")
        elif through == 1:
            self.starts.append(f"go func() {{ {call} }}()")
        else:
            self.starts.append(f"go func() {{ r := {call}; runtime.KeepAlive(r) }}()")
        if parameter:
            self.starts.append(f"kept(unsafe.Pointer({parameter[0]}))")
        self.starts.append(f"standing({number + 1})")

    def _made(self, maker: Maker) -> tuple[str, str]:
        kind = pointer(maker.types.named(maker.choices))
        value = maker.value(kind, 3) or f"value(new({kind.of.name}))"
        name = maker.name()
        maker.say(f"{name} := {value}")
        maker.say(f"kept(unsafe.Pointer({name}))")
        return name, kind.name

    def _local(self, maker: Maker, after: list[str]) -> None:
        name, kind = self._made(maker)
        before, use = maker.choices.one_of(_LOCALS)
        maker.say(before.format(v=name, t=kind))
        if use:
            after.append(use.format(v=name, t=kind))

    def _block(self, maker: Maker) -> None:
        block = maker.choices.one_of(_BLOCKS)
        if "{v}" in block:
            name, kind = self._made(maker)
            block = block.format(v=name, t=kind)
        else:
            block = block.format(t="int")
        maker.say("stood.Add(1)")
        maker.say(block)


def worth_it(choices: Choices) -> int:
    """How many goroutines a program has."""
    return choices.between(1, 4) if choices.chance(60) else 0
