"""Random programs that allocate at many stacks: inlined and not, by methods, generic functions,
closures, deferred calls and goroutines, deep and recursive; some of it stays, the rest is garbage.

Each function calls only later ones, so that every program ends.
"""

from __future__ import annotations

from pathlib import Path

from scripts.truths.choices import Choices
from scripts.truths.kind import Program

_SUPPORT = Path(__file__).with_name("support.go.txt")
_IMPORTS = "".join(f'\t"{name}"\n' for name in ("bytes", "fmt", "runtime", "strings", "sync"))
RATES = (1, 512, 4096, 100_000, 524_288)
_STATEMENTS = (
    "kept = append(kept, new([{n}]int))",
    "nodes = &node{{id: i, next: nodes}}",
    "blocks = append(blocks, make([]byte, {n}))",
    'texts[fmt.Sprint("text ", i, {n})] = i',
    "garbage = make([]int, {n})",
    'garbage = strings.Repeat("ab", {n})',
    "kept = append(kept, list[[{small}]int32](i%7+1))",
    "{{ var p pile[string]; p.put(fmt.Sprint(i)); p.put(\"x\"); kept = append(kept, &p) }}",
    "calls = append(calls, func() int {{ return i + {n} }})",
    "blocks = append(blocks, makers[i%2].make({n}))",
    "kept = append(kept, i+{n})",
    "func() {{ defer func() {{ blocks = append(blocks, bytes.Repeat([]byte(\"a\"), {n})) }}() }}()",
    "deep(i%{n}%150, func() {{ blocks = append(blocks, make([]byte, {n})) }})",
    "{{ grow := makers[i%2].make; blocks = append(blocks, grow({small})) }}",
    "{{ m := map[int]*node{{}}; for j := 0; j < {small}; j++ {{ m[j] = &node{{id: j}} }};"
    " kept = append(kept, m) }}",
    "garbage = append([]byte(nil), fmt.Sprintf(\"%{small}d\", i)...)",
    "{{ c := make(chan *node, {small}); c <- &node{{id: i}}; kept = append(kept, c) }}",
)  # fmt: skip


class Writer:
    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._count = choices.between(1, 8)

    def program(self) -> Program:
        functions = "\n".join(self._function(number) for number in range(self._count))
        collections = "\truntime.GC()\n" * self._choices.between(0, 3)
        again = "\tf0(3)\n" if self._choices.chance(50) else ""
        text = (
            f"package main\n\nimport (\n{_IMPORTS})\n\n"
            "var _, _, _, _ = bytes.Repeat, fmt.Sprint, strings.Repeat, sync.Once{}\n"
            "var _ = runtime.GC\n\n"
            f"func work() {{\n\tf0({self._choices.between(1, 40)})\n{collections}{again}}}\n\n"
            f"{functions}"
        )
        rate = self._choices.one_of(RATES)
        return Program({"main.go": text, "support.go": _SUPPORT.read_text()}, {"rate": rate})

    def _function(self, number: int) -> str:
        choices = self._choices
        body = "\n".join(self._statement(number) for _ in range(choices.between(1, 5)))
        pragma = "//go:noinline\n" if choices.chance(50) else ""
        loop = choices.between(1, 12)
        return (
            f"{pragma}func f{number}(i int) {{\n\tfor end := i + {loop}; i < end; i++ {{\n{body}\n"
            "\t}\n}\n"
        )

    def _statement(self, number: int) -> str:
        choices = self._choices
        if number + 1 < self._count and choices.chance(35):
            callee = f"f{choices.between(number + 1, self._count - 1)}(i % 5)"
            return "\t\t" + choices.weighted(
                (4, callee),
                (1, f"func() {{ defer {callee} }}()"),
                (1, f"{{ var g sync.WaitGroup; g.Add(1); go func() {{ defer g.Done(); {callee} }}()"
                    "; g.Wait() }"),
            )  # fmt: skip
        statement = choices.one_of(_STATEMENTS)
        small, n = choices.between(1, 30), choices.between(1, 3000)
        return "\t\t" + statement.format(n=n, small=small)
