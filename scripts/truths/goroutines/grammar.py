"""A random program: actors, each with its way to begin, what it calls, and its way to stand."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.truths.choices import Choices
from scripts.truths.goroutines import leaves
from scripts.truths.goroutines.frames import STEPS
from scripts.truths.goroutines.support import SUPPORT
from scripts.truths.goroutines.text import Text
from scripts.truths.kind import Build, Program

_MOST_ACTORS = 12
_MOST_STEPS = 6


@dataclass(frozen=True, slots=True)
class Begin:
    """How a goroutine comes to be: `statement` (in main) makes CALL happen in one."""

    name: str
    statement: str
    declared: str = ""
    imports: tuple[str, ...] = ()
    since: tuple[int, int] = (1, 21)
    once: bool = False


BEGINS: tuple[Begin, ...] = (
    Begin("function", "go b$()", "//go:noinline\nfunc b$() {\n\tCALL\n}"),
    Begin("literal", "go func() {\n\tCALL\n}()"),
    Begin("arguments", 'go b$(1, "two")', "func b$(a int, b string) {\n\tCALL\n\tsink.Add(uint64(a + len(b)))\n}"),
    Begin("method", "go new(B$).run(3)", "type B$ struct{ a int }\n\nfunc (b *B$) run(n int) {\n\tCALL\n}"),
    Begin("value method", "go B${1}.run()", "type B$ struct{ a int }\n\nfunc (b B$) run() {\n\tCALL\n}"),
    Begin("interface", "go ib$.run()", "type B$ struct{ a int }\n\nfunc (b B$) run() {\n\tCALL\n}\n\nvar ib$ interface{ run() } = &B${}"),
    Begin("method value", "run$ := new(B$).run\ngo run$()", "type B$ struct{ a int }\n\nfunc (b *B$) run() {\n\tCALL\n}"),
    Begin("generic", "go b$[int](1)", "func b$[T any](x T) {\n\tCALL\n}"),
    Begin("captured", "n$, s$ := 1, \"x\"\ngo func() {\n\tn$++\n\tCALL\n\tsink.Add(uint64(n$ + len(s$)))\n}()"),
    Begin("nested", "b$()", "func b$() {\n\tfunc() {\n\t\tgo func() {\n\t\t\tCALL\n\t\t}()\n\t}()\n}"),
    Begin("not inlined", "b$()", "//go:noinline\nfunc b$() {\n\tgo func() {\n\t\tCALL\n\t}()\n}"),
    Begin("of a goroutine", "go func() {\n\tgo func() {\n\t\tCALL\n\t}()\n}()"),
    Begin("deferred", "func() {\n\tdefer func() {\n\t\tgo func() {\n\t\t\tCALL\n\t\t}()\n\t}()\n}()"),
    Begin("deferred go", "func() {\n\tdefer b$()\n}()", "func b$() {\n\tgo c$()\n}\n\nfunc c$() {\n\tCALL\n}"),
    Begin("locked", "go func() {\n\truntime.LockOSThread()\n\tCALL\n}()", imports=("runtime",)),
    Begin("labels", 'pprof.Do(context.Background(), pprof.Labels("number", "$"), func(context.Context) {\n\tgo func() {\n\t\tCALL\n\t}()\n})', imports=("context", "runtime/pprof")),
    Begin("labelled", 'go pprof.Do(context.Background(), pprof.Labels("number", "$"), func(context.Context) {\n\tCALL\n})', imports=("context", "runtime/pprof")),
    Begin("timer", "time.AfterFunc(time.Millisecond, func() {\n\tCALL\n})", imports=("time",)),
    Begin("context", "ctx$, cancel$ := context.WithCancel(context.Background())\ncontext.AfterFunc(ctx$, func() {\n\tCALL\n})\ncancel$()", imports=("context",)),
    Begin("init", "", "func init() {\n\tgo func() {\n\t\tCALL\n\t}()\n}"),
    Begin("variable", "", "var b$ = func() int {\n\tgo func() {\n\t\tCALL\n\t}()\n\treturn 1\n}()"),
    Begin("wait group", "var wg$ sync.WaitGroup\nwg$.Go(func() {\n\tCALL\n})", imports=("sync",), since=(1, 25)),
    Begin("finalizer", "b$()", "//go:noinline\nfunc b$() {\n\tx := new([4]int)\n\truntime.SetFinalizer(x, func(x *[4]int) {\n\t\tCALL\n\t})\n\tx = nil\n\truntime.GC()\n\truntime.GC()\n}", imports=("runtime",), once=True),
    Begin("cleanup", "b$()", "//go:noinline\nfunc b$() {\n\tx := new([4]int)\n\truntime.AddCleanup(x, func(n int) {\n\t\tCALL\n\t}, 3)\n\tx = nil\n\truntime.GC()\n\truntime.GC()\n}", imports=("runtime",), since=(1, 24), once=True),
)  # fmt: skip


def write(choices: Choices, go: str, build: Build) -> Program:
    major, minor = go.split(".")
    text = Text(choices, (int(major), int(minor)))
    for _ in range(choices.between(1, _MOST_ACTORS)):
        _actor(text)
    if choices.chance(25):
        text.settings["GOMAXPROCS"] = str(choices.between(1, 4))
    collect = "true" if choices.chance(50) else "false"
    body = "".join(f"\t{line}\n" for line in "\n".join(text.in_main).split("\n") if line)
    text.declare(f"func main() {{\n{body}\tstand({text.arriving}, {collect})\n}}")
    files = {"main.go": text.go_source(), "support.go": SUPPORT}
    return Program(files, {"environment": text.settings})


def _actor(text: Text) -> None:
    choices = text.choices
    begins = [b for b in BEGINS if b.since <= text.go and not (b.once and b.name in text.used)]
    begin = choices.one_of(begins)
    text.used.add(begin.name)
    call = _chain(text)
    number = str(text.fresh())
    text.need(*begin.imports)
    if begin.declared:
        text.declare(begin.declared.replace("$", number).replace("CALL", call))
    if begin.statement:
        text.in_main.append(begin.statement.replace("$", number).replace("CALL", call))


def _chain(text: Text) -> str:
    """Steps, outermost last to be written; the statement that calls the outermost."""
    choices = text.choices
    steps = [choices.one_of([s for s in STEPS if s.since <= text.go])
             for _ in range(choices.between(0, _MOST_STEPS))]  # fmt: skip
    call = f"{leaves.written(text)}()"
    for step in steps:
        number = str(text.fresh())
        text.need(*step.imports)
        pragma = "" if step.inline and choices.chance(60) else "//go:noinline\n"
        head, _, _ = step.declared.partition("f$")
        declared = step.declared.replace("$", number).replace("NEXT", call)
        if head == "func ":
            declared = pragma + declared
        text.declare(declared)
        call = step.call.replace("$", number)
        if "DEPTH" in call:
            depth = choices.weighted((5, 3), (3, 40), (2, 120), (1, 2500))
            call = call.replace("DEPTH", str(depth))
    return call
