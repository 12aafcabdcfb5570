"""Wrappers that hold the code of the methods that they are made for.

An interface calls a method with a value for its receiver, a promoted one, and one of a generic type
by a function that the compiler makes (`main.(*T).M` for `main.T.M`), and a method value is one, too
(`main.T.M-fm`). Where the method is inlined there, that function is the method to whoever calls
(cmd/compile/internal/noder/reader.go, methodWrapper and methodValueWrapper, Go 1.21 to 1.27).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from enum import Enum

import msgspec

from goprobe.arch.instructions import transfers
from goprobe.binary.pcln.format import PCDATA_INL_TREE_INDEX, Function, plain_name
from goprobe.binary.pcln.inlining import OWN
from goprobe.binary.pcln.table import LineTable
from goprobe.errors import UnreadableError
from goprobe.runtime.image.program import GoProgram

_METHOD_VALUE = "-fm"
_BY_POINTER = re.compile(r"\(\*(.+)\)(\.[^.]+)$")
_FEW = 64  # names that are looked up one by one
_LONGEST = 1 << 12  # bytes of a wrapper that holds a method; an inlined one is small


class Receiver(Enum):
    """What a wrapper is called on, other than the function whose code it holds."""

    SAME = "the receiver"
    POINTER = "its address"
    OUTER = "what it is embedded in"
    CAPTURED = "nothing: it is captured"


class Holder(msgspec.Struct, frozen=True):
    """A wrapper, and the name of the function whose code it holds, with its type arguments."""

    wrapper: Function
    held: str

    @property
    def receiver(self) -> Receiver:
        name, held = plain_name(self.wrapper.name), plain_name(self.held)
        if name.endswith(_METHOD_VALUE):
            return Receiver.CAPTURED
        if name == held:
            return Receiver.SAME
        return Receiver.POINTER if _by_value(name) == held else Receiver.OUTER


def holders(program: GoProgram, names: Collection[str]) -> Iterator[Holder]:
    """The wrappers into which functions of these names are inlined. Raises UnreadableError."""
    lines = program.lines
    methods = {_method(name) for name in names if name.rpartition("/")[2].count(".") > 1}
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(plain_name(name), name)
    alike = {n for n in lines.every_name() if _method(n) in methods} if methods else ()
    if len(alike) > _FEW:
        functions = [f for f in lines.functions() if f.name in alike]
    else:
        functions = [f for name in sorted(alike) for f in lines.functions_named(name)]
    for function in functions:
        if not lines.is_wrapper(function.entry):
            continue
        held = _held(lines, function, names, plain)
        if held and plain_name(held) not in _called(program, function):
            yield Holder(function, _instance(function.name, held))


def _instance(wrapper: str, held: str) -> str:
    """The wrapper's name has the type arguments where that of the shared code has shapes."""
    own = (wrapper, _by_value(wrapper), wrapper.removesuffix(_METHOD_VALUE))
    return next((name for name in own if plain_name(name) == plain_name(held)), held)


def _by_value(name: str) -> str:
    """`main.T.M` of `main.(*T).M`; "" of a name that is none of a method by a pointer."""
    return _BY_POINTER.sub(r"\1\2", name) if _BY_POINTER.search(name) else ""


def _method(name: str) -> str:
    return name.removesuffix(_METHOD_VALUE).rpartition(".")[2]


def _held(
    lines: LineTable, wrapper: Function, names: Collection[str], plain: dict[str, str]
) -> str:
    """Of which function a wrapper has the code, if it does not call it: what it says itself that
    was inlined there, which it does not where nothing but a load is left of that; else what it is
    made for by its name."""
    for name in _inlined(lines, wrapper):
        if name in names:
            return name
    name = wrapper.name
    if name.endswith(_METHOD_VALUE):
        return plain.get(plain_name(name.removesuffix(_METHOD_VALUE)), "")
    held = plain.get(plain_name(_by_value(name)), "")
    return held or (plain.get(plain_name(name), "") if "[" in name else "")


def _inlined(lines: LineTable, wrapper: Function) -> Iterator[str]:
    """The functions that a wrapper calls inlined, and other wrappers on the way to them."""
    runs = lines.pcdata_runs(wrapper, PCDATA_INL_TREE_INDEX)
    seen: set[int] = set()
    for start, _, copy in runs:
        if copy == OWN or copy in seen:
            continue
        seen.add(copy)
        for frame in lines.inline_stack(wrapper, wrapper.entry + start)[-2::-1]:
            yield frame.function
            if not frame.wrapper:
                break


def _called(program: GoProgram, wrapper: Function) -> set[str]:
    """The functions that it calls or goes on to, by their plain names."""
    size = min(wrapper.end - wrapper.entry, _LONGEST)
    try:
        code = program.elf.read(wrapper.entry, size)
    except UnreadableError:
        return set()
    targets = {t.target for t in transfers(code, wrapper.entry) if t.target}
    reached = (program.lines.function_at(target) for target in targets)
    return {plain_name(f.name) for f in reached if f is not None and f.entry != wrapper.entry}
