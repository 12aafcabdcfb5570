"""What a call carries: values that the optimiser left without a variable, found as arguments.

In an optimised build `msg := "Hello, Go!"` has no place of its own; its bytes still reach the call
that receives them. At a stop the arguments of a call are known (in registers at the call, or as
the callee's parameters); the source line of the call says what they are called there. A name is
given only where the source is at hand and leaves no doubt, and `why` says how it was found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType, structs

from goprobe.analysis.ownership import package_of
from goprobe.analysis.trace.goscopes import has_variable
from goprobe.analysis.trace.gosource import call_arguments, may_change, parameters_of
from goprobe.analysis.trace.gosyntax import functions_of
from goprobe.arch.instructions import called
from goprobe.arch.registers import PC, SP
from goprobe.errors import UnreadableError
from goprobe.model.location import Kind
from goprobe.model.value import Data, Element, State, Value, Variable
from goprobe.runtime.stacks.bindings import Binding
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.stacks.variables import FrameVariables
from goprobe.runtime.world import World

_WRAPPER = re.compile(r"\.(?:gowrap|deferwrap)\d+$")
_TOLD = (State.LIVE, State.REGISTER)
_SMALL_VALUES = "runtime.staticuint64s"
_CUT = ("…", "unreadable")
_PRESENT = (State.LIVE, State.REGISTER, State.UNREADABLE, State.NOT_YET)


class View(Protocol):
    """What is asked of a stop (`stopview.StopView`)."""

    @property
    def world(self) -> World: ...
    @property
    def registers(self) -> Mapping[str, int]: ...
    @property
    def frames(self) -> tuple[FrameView, ...]: ...
    def variable(self, binding: Binding, index: int, frame: FrameView) -> Variable: ...


class _Callee(msgspec.Struct, frozen=True):
    """A function that is being called: `short` its last name, its parameters in order."""

    name: str
    short: str
    method: bool
    parameters: tuple[Variable, ...]
    variadic: bool


class _Found(msgspec.Struct, frozen=True):
    """A value found as an argument; `box` is the memory that an interface holds it in."""

    how: str
    type: str
    value: Value
    data: Data | UnsetType
    elements: tuple[Element, ...] | UnsetType
    box: Data | UnsetType = UNSET


def call_at(view: View) -> tuple[Variable, ...]:
    """The arguments of the call instruction that the thread stands at; none elsewhere."""
    world, registers = view.world, view.registers
    if PC not in registers:  # a goroutine that no thread runs
        return ()
    try:
        code = world.memory.read(registers[PC], 8)
    except UnreadableError:
        return ()
    target = called(code, registers[PC])
    if target is None:
        return ()
    function = world.program.debug.function_at(target - world.bias)
    if function is None or not view.frames:
        return ()
    finder = FrameVariables(world.program, world.memory, world.bias, world.typedata.debug_type)
    why = f"argument of the call to {function.name} that this stop stands at"
    variables = []
    for binding in finder.parameters(function, registers, registers[SP]):
        made = view.variable(binding, 0, view.frames[0])
        if made.value is not UNSET:
            variables.append(structs.replace(made, function=function.name, why=why, parameter=True))
    return tuple(variables)


def passed_on(view: View, by_frame: Mapping[int, list[Variable]]) -> list[tuple[int, Variable]]:
    """(frame index, variable) for what only a call's arguments still show."""
    program, arguments = view.world.program, call_at(view)
    passed = [(0, argument) for argument in arguments]
    callee = _callee_of(view, arguments[0].function, arguments) if arguments else None
    handed = {(a.name, a.value): a for a in arguments}
    for index, frame in enumerate(view.frames):
        if index not in by_frame and not frame.inlined:
            break
        own = by_frame.get(index, [])
        if callee and program.source(frame.file) and _optimiser_at_work(view, frame):
            own[:] = _undisputed(own, frame, callee)
            for made in _named(callee, index, frame, own):
                if _is_global(view, frame, made.name):
                    continue
                own = [v for v in own if (v.name, v.function) != (made.name, made.function)]
                own.append(made)
                argument = handed.get((made.name, made.value)) if index == 0 else None
                if argument is not None:  # handed on under the same name: told once
                    passed.remove((0, argument))
                    made = structs.replace(argument, function=frame.function)
                passed.append((index, made))
        callee = _callee_of(view, frame.function, _as_passed(view, index, frame, own))
    return [p for p in passed if p[1] not in arguments or not _is_own_name(view, p[1].name)]


def _is_own_name(view: View, name: str) -> bool:
    """Whether a name means a variable of the innermost frame itself: of a function that calls
    itself, or its like, what the call is passed under that name is the next one's."""
    frame = view.frames[0]
    if name in view.world.program.parameter_names(frame.function):
        return True
    return has_variable(functions_of(frame.file), name, frame.line)


def _undisputed(own: list[Variable], frame: FrameView, callee: _Callee) -> Iterator[Variable]:
    """A frame's variables, without the value of those that the running call was passed another
    value for: what debug information says of the two cannot both be right."""
    passed = dict(_arguments(callee, frame))
    names = Counter(v.name for v in own if v.function == frame.function)
    for v in own:
        made = passed.get(v.name) if v.function == frame.function else None
        if made and names[v.name] == 1 and contradicts(v, made.type, made.value):
            yield without_value(
                v,
                "debug information contradicts the running call: what it has here is not what "
                f"{callee.name} was passed for it, {made.value.text}",
            )
        else:
            yield v


def contradicts(v: Variable, passed_type: str, passed: Value) -> bool:
    """Whether a variable that lives nowhere but in its frame, and that nobody else can write to,
    is told another value than the running call was passed for it. What is cut says nothing."""
    if v.state not in _TOLD or v.value is UNSET or v.moved or v.type != passed_type:
        return False
    same = _bare(v.value) == _bare(passed)
    return not same and not any(cut in v.value.text + passed.text for cut in _CUT)


def _bare(value: Value) -> Value:
    """Without what it stands for, which follows from the rest."""
    return structs.replace(value, meaning=UNSET, reading=UNSET)


def without_value(v: Variable, why: str) -> Variable:
    """The variable, with a reason in place of what was told of it."""
    return structs.replace(
        v,
        state=State.OPTIMIZED_OUT,
        why=why,
        value=UNSET,
        data=UNSET,
        elements=UNSET,
        register=UNSET,
        address=UNSET,
        location=UNSET,
    )


def _is_global(view: View, frame: FrameView, name: str) -> bool:
    return f"{package_of(frame.function)}.{name}" in view.world.program.debug.globals


def _optimiser_at_work(view: View, frame: FrameView) -> bool:
    """Whether a frame's code is the optimiser's, and written in the source: the compiler's
    wrapper of a go statement has no variables of its own."""
    debug = view.world.program.debug
    function = debug.function_at(frame.lookup - view.world.bias)
    wrapper = _WRAPPER.search(frame.function)
    return function is not None and not wrapper and debug.is_optimised(function)


def _as_passed(
    view: View, index: int, frame: FrameView, own: Iterable[Variable]
) -> tuple[Variable, ...]:
    """The parameters of a frame, without the value of those that may be another by now than
    what the caller passed."""
    file, line = view.world.program.declaration(frame.function)
    file = view.world.program.source(file or frame.file)
    entered = index == 0 and frame.line == line
    parameters = (v for v in own if v.parameter and v.function == frame.function)
    return tuple(
        v
        if entered or not may_change(file, line, v.name)
        else structs.replace(v, value=UNSET, data=UNSET, elements=UNSET)
        for v in parameters
    )


def _callee_of(view: View, name: str, parameters: Iterable[Variable]) -> _Callee | None:
    tail = name.rpartition("/")[2].partition("[")[0]
    short = tail.rpartition(".")[2]
    if not short.isidentifier() or short.startswith("func"):
        return None
    file, line = view.world.program.declaration(name)
    # An inlined function is declared in the file that its frame stands in.
    file = file or next((f.file for f in view.frames if f.function == name), "")
    declared = parameters_of(view.world.program.source(file), line, short) if line else None
    names = view.world.program.parameter_names(name)  # a frame's variables have results too
    ordered = sorted((v for v in parameters if v.name in names), key=lambda v: names.index(v.name))
    method = tail.count(".") > 1
    if declared is None or len(declared) + method != len(ordered):
        return None  # one has no name: which is which is not sure
    variadic = bool(declared) and "..." in declared[-1]
    return _Callee(name, short, method, tuple(ordered), variadic)


def _named(
    callee: _Callee, index: int, frame: FrameView, own: list[Variable]
) -> Iterator[Variable]:
    own = [v for v in own if v.function == frame.function]
    present = {v.name for v in own if v.state in _PRESENT}
    declared = {v.name for v in own if v.parameter}
    for name, made in _arguments(callee, frame):
        if name in present:
            continue
        known = next((v.type for v in own if v.name == name), "")
        if known in ("", made.type):
            why = (
                f"the optimiser left no variable {name} here; found as {made.how} of {callee.name}"
            )
            yield Variable(
                name=name,
                type=made.type,
                frame=index,
                function=frame.function,
                state=_state(made),
                why=why,
                address=made.box.address if made.box else UNSET,
                location=made.box.location if made.box else UNSET,
                value=made.value,
                data=made.data,
                elements=made.elements,
                parameter=name in declared,
            )


def _arguments(callee: _Callee, frame: FrameView) -> Iterator[tuple[str, _Found]]:
    """What was passed in the call on the frame's line, by the names that stand there."""
    arguments = call_arguments(frame.file, frame.line, callee.short) or ()
    offset = 1 if callee.method else 0
    for i, text in enumerate(arguments):
        spread = text.endswith("...")
        name = text.removesuffix("...").strip()
        if name.isidentifier() and has_variable(functions_of(frame.file), name, frame.line):
            made = _argument(callee, i + offset, spread, len(arguments) + offset)
            if made is not None:
                yield name, made


def _argument(callee: _Callee, i: int, spread: bool, count: int) -> _Found | None:
    parameters = callee.parameters
    last = len(parameters) - 1
    if not parameters:
        return None
    if callee.variadic and i >= last and not spread:
        data = parameters[last].data
        elements = data.elements if data is not UNSET else UNSET
        if elements is UNSET or i - last >= len(elements):
            return None
        return _element(elements[i - last], f"argument {parameters[last].name}[{i - last}]")
    if i > last or (not callee.variadic and count != len(parameters)):
        return None
    p = parameters[i]
    if p.value is UNSET:
        return None
    return _Found(f"argument {p.name}", p.type, p.value, p.data, p.elements)


def _element(e: Element, how: str) -> _Found:
    held = e.value.dynamic_type
    if held is UNSET:
        return _Found(how, e.type, e.value, e.data, e.elements)
    kind = held if e.value.full_type is UNSET else e.value.full_type
    if e.data is UNSET or e.data.type != kind:  # a pointer, which no box is made for
        text = "nil" if e.value.holds_nil else e.value.text
        value = structs.replace(
            e.value, text=text, dynamic_type=UNSET, holds_nil=False, full_type=UNSET
        )
        data = e.data if e.data is UNSET else structs.replace(e.data, dynamic_type=UNSET)
        return _Found(how, kind, value, data, e.elements)
    # The variable was boxed, and what the interface points at is its value.
    boxed = e.data
    length = boxed.data.size if held == "string" and boxed.data is not UNSET else boxed.len
    value = Value(boxed.text, length, meaning=boxed.meaning, reading=boxed.reading)
    return _Found(f"{how} (boxed)", kind, value, boxed.data, boxed.elements, boxed)


def _state(argument: _Found) -> State:
    """What lies in a box that the linker made is a constant; the runtime boxes values below 256 as
    addresses in a table of its own (runtime/iface.go, convT16 to convT64, Go 1.21 to 1.27)."""
    box = argument.box
    if box is UNSET or box.location.kind is not Kind.RODATA:
        return State.OPTIMIZED_OUT
    symbol = str(box.location.detail.get("symbol", ""))
    small = symbol.partition("+")[0] == _SMALL_VALUES
    return State.OPTIMIZED_OUT if small else State.CONSTANT
