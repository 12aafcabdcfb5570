"""A random program: actors, each with its way to begin, what it calls, and its way to stand."""

from __future__ import annotations

from collections.abc import Collection

from scripts.truths.choices import Choices
from scripts.truths.goroutines import bridge
from scripts.truths.goroutines.snippets import Snippet, choose, place
from scripts.truths.goroutines.support import SUPPORT
from scripts.truths.goroutines.text import Text
from scripts.truths.kind import Build, Program, release

_MOST_ACTORS = 12
_MOST_STEPS = 6
_MOST_STEPS_OF_MANY = 2
_DEPTHS = ((5, 3), (3, 40), (2, 120), (1, 2500))


def write(choices: Choices, go: str, build: Build) -> Program:
    text = Text(choices, release(go), cgo=build.cgo)
    if not choices.chance(3):
        text.used.add("crowd")  # it takes most of a minute
    for _ in range(choices.between(1, _MOST_ACTORS)):
        _actor(text)
    if choices.chance(25):
        text.settings["GOMAXPROCS"] = str(choices.between(1, 4))
    if choices.chance(15):
        text.settings["GODEBUG"] = "asyncpreemptoff=1"
    stack = choices.one_of(("unlimited", "1000000")) if choices.chance(15) else ""
    collect = "true" if choices.chance(50) else "false"
    body = "".join(f"\t{line}\n" for line in "\n".join(text.in_main).split("\n") if line)
    text.declare(f"func main() {{\n{body}\tstand({text.arriving}, {collect})\n}}")
    files = {"main.go": text.go_source(), "support.go": SUPPORT}
    if "cgo" in text.flags:
        files |= {"bridge.h": bridge.HEADER, "bridge.c": bridge.SOURCE, "bridge.go": bridge.EXPORTS}
    if "asm" in text.flags:
        files |= {"asm_amd64.s": bridge.ASSEMBLY, "asm.go": bridge.DECLARED}
    return Program(files, {"environment": text.settings, "stack": stack})


def _actor(text: Text) -> None:
    begin = choose(text, "begins")
    many = "many" in begin.flags
    but = ["large", "thread"] if many else []
    most = _MOST_STEPS_OF_MANY if many else _MOST_STEPS
    steps = [choose(text, "steps", but=but) for _ in range(text.choices.between(0, most))]
    if "foreign" in begin.flags or any("whole" in step.flags for step in steps):
        but.append("ends")
    call = _leaf(text, but)
    for step in steps:  # the innermost first
        call = _step(text, step, call)
    if "late" in begin.flags:
        text.arriving -= 1
    text.in_main.append(place(text, begin, call))


def _step(text: Text, step: Snippet, following: str) -> str:
    alone = "inline" not in step.flags or not text.choices.chance(60)

    def change(declared: str) -> str:
        return f"//go:noinline\n{declared}" if alone and declared.startswith("func ") else declared

    call = place(text, step, following, change=change)
    if "DEPTH" in call:
        call = call.replace("DEPTH", str(text.choices.weighted(*_DEPTHS)))
    return call


def _leaf(text: Text, but: Collection[str]) -> str:
    """A function named leafN stands: what is above it on the stack stays in any case."""
    leaf = choose(text, "leaves", but=but)
    text.arriving += 1
    body = place(text, leaf, "")
    number = text.last
    if text.choices.chance(60):
        body = f"var local [2]uint64\nnote({number}, &local)\n{body}\nuse(&local)"
    inline = "" if text.choices.chance(30) else "//go:noinline\n"
    text.declare(f"{inline}func leaf{number}() {{\n{body}\n}}")
    return f"leaf{number}()"
