"""Random programs that call: functions, methods and generic functions, one after another and
within each other, that return, panic (and are recovered, here or further out) or end their
goroutine.

Each function calls only later ones, so that every program ends. What a call of a function comes to
is known when the program is written; what it was passed and gives is written down as it runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from scripts.truths.calls.small import smalls
from scripts.truths.choices import Choices
from scripts.truths.kind import Program

_SUPPORT = Path(__file__).with_name("support.go.txt")
# A Go type, and how a value of it is written; {n} is a small number.
_TYPES = (
    ("int", "{n}"), ("string", 'text({n})'), ("bool", "{n}%2 == 0"), ("float64", "float64({n})/4"),
    ("uint8", "uint8({n}%256)"), ("int32", "-int32({n})"), ("[]int", "[]int{{{n}, {n} + 1}}"),
    ("pair", 'pair{{{n}, text({n})}}'), ("error", "problem({n})"), ("float32", "float32({n})/8"),
    ("any", "any({n})"), ("[2]int16", "[2]int16{{int16({n}), -1}}"), ("*pair", "(*pair)(nil)"),
    ("uint64", "^uint64({n})"), ("[]string", "[]string{{text({n})}}"), ("[1]int", "[1]int{{{n}}}"),
)  # fmt: skip
_DECLARED = re.compile(r"^func (?:\(.*?\) )?(f\d+)", re.MULTILINE)
_CALLED = re.compile(r"\b(f\d+)\(next\(\)")
RETURNS, PANICS, LEAVES = "return", "panic", "goexit"


@dataclass(frozen=True)
class _Function:
    number: int
    kind: str
    parameters: tuple[tuple[str, str], ...]
    results: tuple[tuple[str, str], ...]
    fate: str

    @property
    def name(self) -> str:
        """As goprobe has it, without type arguments."""
        prefix = {"value": "V.", "pointer": "(*P)."}.get(self.kind, "")
        return f"main.{prefix}f{self.number}"

    @property
    def head(self) -> str:
        receiver = {"value": "(v V) ", "pointer": "(p *P) "}.get(self.kind, "")
        own = "[T any]" if self.kind == "generic" else ""
        extra = ", x T" if self.kind == "generic" else ""
        takes = "".join(f", a{i} {t}" for i, (t, _) in enumerate(self.parameters))
        gives = ", ".join(f"r{i} {t}" for i, (t, _) in enumerate(self.results))
        return f"func {receiver}f{self.number}{own}(id int{takes}{extra}) ({gives})"

    @property
    def passed(self) -> str:
        extra = ", x" if self.kind == "generic" else ""
        return "id" + "".join(f", a{i}" for i in range(len(self.parameters))) + extra


def write(choices: Choices) -> Program:
    functions: list[_Function] = []
    texts: list[str] = []
    for number in range(choices.between(1, 8), 0, -1):  # a caller comes before what it calls
        function, text = _function(choices, number, functions)
        functions.insert(0, function)
        texts.append(text)
    body = [_call(choices, choices.one_of(functions), "0")]
    body += [_call(choices, choices.one_of(functions), "0") for _ in range(choices.below(8))]
    small, called, meant = smalls(choices)
    body += called
    main = "func main() {\n" + "\n".join(body) + "\n\tdone()\n}\n"
    source = _SUPPORT.read_text() + "\n" + "\n".join((*reversed(texts), small)) + "\n" + main
    linked = _linked(main, texts)
    patterns = sorted({_pattern(f) for f in functions if f"f{f.number}" in linked})
    return Program({"main.go": source}, {"patterns": [*patterns, *meant]})


def _linked(main: str, texts: list[str]) -> set[str]:
    """The functions that main comes to: the linker leaves out the others."""
    bodies = {match[1]: text for text in texts if (match := _DECLARED.search(text))}
    reached: set[str] = set()
    left = set(_CALLED.findall(main))
    while left:
        name = left.pop()
        reached.add(name)
        left |= set(_CALLED.findall(bodies[name])) - reached
    return reached


def _pattern(function: _Function) -> str:
    return {"value": "main.V.f*", "pointer": "main.(*P).f*"}.get(function.kind, "main.f*")


def _function(choices: Choices, number: int, later: list[_Function]) -> tuple[_Function, str]:
    kind = choices.one_of(("plain", "value", "pointer", "generic"))
    parameters = tuple(choices.one_of(_TYPES) for _ in range(choices.below(6)))
    results = tuple(choices.one_of(_TYPES) for _ in range(choices.below(4)))
    ending = choices.weighted((5, RETURNS), (1, PANICS), (1, LEAVES), (1, "recovers"))
    fate = RETURNS if ending == "recovers" else ending
    calls = range(choices.below(3) if later else 0)
    lines = [_call(choices, choices.one_of(later), "id") for _ in calls]
    if choices.chance(20):
        lines.append("\tgrow(40)")
    last = choices.one_of(later) if later and choices.chance(20) else None
    if last is not None and last.fate != RETURNS and ending == RETURNS:
        fate = last.fate
    function = _Function(number, kind, parameters, results, fate)
    begins = f'\tcall := began(id, "{function.name}", {function.passed})'
    gives = "".join(f"\n\tr{i} = {v.format(n='call.id')}" for i, (_, v) in enumerate(results))
    names = "".join(f", r{i}" for i in range(len(results)))
    if fate != ending and ending != "recovers" and last is not None:
        end = f'\tcall.ended("{fate}")\n{_plain_call(choices, last, "id")}\n\treturn'
    elif ending == PANICS:
        end = f'\tcall.ended("panic")\n\tpanic(text({choices.below(9)}))'
    elif ending == LEAVES:
        end = '\tcall.ended("goexit")\n\truntime.Goexit()\n\treturn'
    elif ending == "recovers":
        end = f"\tpanic({choices.below(9)})"
        begins += (
            f'\n\tdefer func() {{\n\t\trecover(){gives}\n\t\tcall.ended("return"{names})\n\t}}()'
        )
    else:
        end = f'{gives}\n\tcall.ended("return"{names})\n\treturn'
    text = f"//go:noinline\n{function.head} {{\n{begins}\n" + "\n".join(lines) + f"\n{end}\n}}\n"
    return function, text


def _plain_call(choices: Choices, callee: _Function, outer: str) -> str:
    values = [v.format(n=f"({outer}%7 + {choices.below(90)})") for _, v in callee.parameters]
    if callee.kind == "generic":
        values.append(choices.one_of(("7", '"seven"', "pair{1, text(1)}")))
    receiver = {"value": "V(3).", "pointer": "(&P{5}).", "generic": ""}.get(callee.kind, "")
    return f"\t{receiver}f{callee.number}({', '.join(['next()', *values])})"


def _call(choices: Choices, callee: _Function, outer: str) -> str:
    """A call that comes back, whatever the callee does; sometimes in a goroutine of its own."""
    call = _plain_call(choices, callee, outer)
    if callee.fate == LEAVES or choices.chance(15):
        return f"\tspawn(func() {{\n{_try(call) if callee.fate == PANICS else call}\n\t}})"
    return _try(call) if callee.fate == PANICS else call


def _try(call: str) -> str:
    return f"\ttry(func() {{\n{call}\n\t}})"
