"""What goprobe is asked: the commands' work in this process, from what is read to the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from goprobe.analysis.escape.calls import CodeMap
from goprobe.analysis.escape.linefacts import CodeLines
from goprobe.analysis.goroutines.contention import with_contention
from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heapasked import heap_asked
from goprobe.analysis.locals.ask import GoroutineQuestions, goroutines_of
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.where import where
from goprobe.analysis.memory.memory import memory
from goprobe.analysis.trace.breakpoints import check_instruction, resolve
from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.registers import Registers
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.errors import UnreadableError, UsageError, telling
from goprobe.model.codec import to_json
from goprobe.report import RenderOptions, render
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.types.statictypes import static_types
from goprobe.target.core import CoreTarget
from scripts.truths.choices import Choices

_PLACES = ("main.main", "main.stand", "main.deep", "main.go:150", "main.tangle.func1", "nosuch.f",
           "nosuch.go:7", "runtime.mallocgc", "*0x401000")  # fmt: skip


def told(report: object) -> object:
    """The report, after it was written as a user would read it."""
    for name in ("json", "text"):
        render(report, name, RenderOptions())
    return report


@dataclass(frozen=True, slots=True)
class Asked:
    """A process that stands still, and what of it to ask for."""

    target: CoreTarget
    addresses: Sequence[int]
    object: int


def _heap(*of_object: str, **questions: object) -> Callable[[Asked], object]:
    """Questions about the heap; those named in `of_object` are about the object asked for."""

    def ask(asked: Asked) -> object:
        wanted = dict.fromkeys(of_object, asked.object) | questions
        return told(heap_asked(asked.target, HeapQuestions(**wanted)))  # type: ignore[arg-type]

    return ask


def _goroutines(**questions: object) -> Callable[[Asked], object]:
    def ask(asked: Asked) -> object:
        return told(goroutines_of(asked.target, GoroutineQuestions(**questions)))  # type: ignore[arg-type]

    return ask


def _stop(asked: Asked) -> None:
    """What trace shows of a stop, here of the first few threads."""
    target = asked.target
    for tid, registers in list(target.core.threads.items())[:3]:
        view = StopView(target.world(), tid, _named(registers))
        to_json(view.stop("here"))


def _named(registers: Registers) -> dict[str, int]:
    return {name: getattr(registers, name) for name in registers.__struct_fields__}


OF_PROCESS: Mapping[str, Callable[[Asked], object]] = {
    "where": lambda asked: told(where(asked.target, asked.addresses)),
    "maps": lambda asked: told(maps(asked.target)),
    "goroutines": lambda asked: told(goroutines(asked.target)),
    "goroutines --stacks": lambda asked: told(goroutines(asked.target, stacks=True)),
    "heap": _heap(),
    "heap --types": _heap(types=True),
    "heap --retained": _heap(types=True, retained=True, dangling=True),
    "heap --unreachable": _heap(unreachable=True),
    "heap --path": _heap("path", paths=3),
    "heap --referrers": _heap("referrers"),
    "heap --object": _heap("object", retained=True),
    "heap, all of it": _heap(
        "path", "referrers", "object", paths=3, types=True, retained=True, dangling=True,
        unreachable=True,
    ),
    "heap --sites": _heap(sites=True, types=True, retained=True),
    "heap --waste": lambda asked: told(heap_asked(asked.target, HeapQuestions(waste=True))),
    "memory": lambda asked: told(memory(asked.target)),
    "goroutines --waits": _goroutines(waits=True),
    "goroutines --locals": _goroutines(locals=True, stacks=True),
    "goroutines --leaked": _goroutines(leaked=True),
    "goroutines --contention": lambda asked: told(
        with_contention(asked.target, goroutines(asked.target))
    ),
    "stop": _stop,
}  # fmt: skip
"""What the commands that attach do, from memory to text; by the command's words."""


def _places(program: GoProgram) -> None:
    for place in _PLACES:
        try:
            for found in resolve(program, place):
                check_instruction(program, found.address, 0)
        except UsageError:
            continue


def _variables(program: GoProgram) -> None:
    functions = program.debug.index.functions
    for function in functions[:: max(len(functions) // 40, 1)]:
        with suppress(UnreadableError):  # of such a function nothing is told (trace.stopview)
            _variables_of(program, function)


def _variables_of(program: GoProgram, function: FunctionEntry) -> None:
    variables = program.function_variables(function)
    middle = (function.low + function.high) // 2
    program.debug.scopes(function, middle)
    program.declaration(function.name)
    program.parameter_names(function.name)
    for local in program.debug.locals(function):
        variables.is_assigned(local, program.debug.types.at(local.type), middle, local.line)


def _sites(program: GoProgram) -> None:
    with telling("the code"):
        code = CodeMap(program)
        functions = list(code.functions_in(lambda name: name.endswith("/tangle/main.go")))
        CodeLines(program.elf, program.lines).facts(functions)
        _ = code.calls()


def _types(program: GoProgram) -> None:
    types = static_types(program)
    if types is not None:
        for address in list(program.debug.index.runtime_types)[:200]:
            types.name(address)


OF_PROGRAM: Mapping[str, Callable[[GoProgram], object]] = {
    "facts": lambda program: program.facts,
    "places": _places,
    "variables": _variables,
    "sites": _sites,
    "types": _types,
}
"""What trace, doctor and escape learn from a binary before anything runs."""

_RARELY = {name for name in OF_PROCESS if name.startswith("heap --")} | {"places", "sites"}
"""What takes ten times as long as others: one graph of the heap answers all that is asked of it."""


def drawn(choices: Choices, names: Sequence[str], most: int) -> list[str]:
    """Up to `most` of the questions, each once."""
    weights = [(1 if name in _RARELY else 4, name) for name in names]
    wanted = [choices.weighted(*weights) for _ in range(1 + choices.below(most))]
    return list(dict.fromkeys(wanted))
