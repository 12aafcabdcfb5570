"""The calls of a binary, all packages: CALL and tail JMP, and function values that are known.

Read from the machine code, function by function as they are asked for: what the compiler inlined,
devirtualised or dropped is so already. What runs is known but for function values and interface
methods, which are told as holes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from goprobe.analysis.escape.calls import CodeMap
from goprobe.analysis.escape.methods import Methods
from goprobe.arch.outgoing import Outgoing, Way, outgoing
from goprobe.binary.dwarf.gotypes import GoType
from goprobe.binary.elf.elf import SHF_WRITE
from goprobe.binary.elf.image import Image
from goprobe.binary.pcln.format import Function, SourceFrame
from goprobe.runtime.entries import Effect, Entry, entry_of
from goprobe.runtime.image.program import GoProgram

_RELOCATED = ".data.rel.ro"  # read-only once a PIE's pointers have been relocated
_METHODS, _WORD = 24, 8  # offset of itab.Fun (internal/abi/iface.go, runtime/runtime2.go)
_STACK_CALLS = ("runtime.deferproc", "runtime.deferprocStack", "runtime.deferprocat",
                "runtime.deferrangefunc")  # fmt: skip


class CallEdge(msgspec.Struct, frozen=True):
    """A call at `pc`. `callee` is the entry of what it calls, 0 where that is not known; `name` its
    symbol; `entry` what the table of the runtime says of it, None where the code is to be followed;
    `hole` says what is called where nobody can know; `method`: it is an interface's."""

    pc: int
    callee: int
    name: str
    entry: Entry | None
    hole: str
    method: bool = False


class CallGraph:
    """Addresses are link-time ones."""

    def __init__(
        self,
        program: GoProgram,
        lines: Callable[[str], Sequence[str]],
        types_of: Callable[[str, str], Sequence[GoType]],
    ) -> None:
        """`lines` are those of a source file, and `types_of` the types of an expression, as
        `Methods` takes them."""
        self._program, self._lines = program, program.lines
        self._methods = Methods(program.lines, lines, types_of)
        self._release = program.go.major, program.go.minor
        self._by_steps = CodeMap(program).by_steps
        self._image = Image(program.elf)
        self._calls: dict[int, tuple[CallEdge, ...]] = {}
        self._moved: dict[int, SourceFrame] = {}

    def function(self, entry: int) -> Function | None:
        return self._lines.function_at(entry)

    def place(self, function: Function, pc: int) -> tuple[SourceFrame, ...]:
        """The source of a call, innermost first."""
        frames = tuple(self._lines.inline_stack(function, pc))
        return (self._moved[pc], *frames) if pc in self._moved else frames

    def tell_moved(self, moved: Mapping[int, SourceFrame]) -> None:
        """By whom calls are made for a variable of what was inlined, whose place in the code is
        another's (see movedformals.py)."""
        self._moved.update(moved)

    def methods(self, function: Function, edge: CallEdge) -> tuple[Function, ...]:
        """What a call of an interface's method may lead to, () where nobody can tell."""
        if not edge.method:
            return ()
        return self._methods.behind(self.place(function, edge.pc))

    def method_names(self, frames: Sequence[SourceFrame]) -> tuple[str, ...]:
        """What the method may be called that a call in this place leads to, () where nobody can
        tell."""
        return self._methods.names(frames)

    def hole(self, function: Function, edge: CallEdge) -> str:
        """What is called where nobody can know, by its name where that is known."""
        told = self._methods.told(self.place(function, edge.pc)) if edge.method else ""
        return f"it calls {Way.METHOD.value}, {told}" if told else edge.hole

    def calls(self, function: Function) -> tuple[CallEdge, ...]:
        known = self._calls.get(function.entry)
        if known is None:
            known = self._calls[function.entry] = self._read(function)
        return known

    def _read(self, function: Function) -> tuple[CallEdge, ...]:
        code = self._program.elf.read(function.entry, function.end - function.entry)
        text = range(self._lines.low, self._lines.high)
        edges = [self._edge(each) for each in outgoing(code, function.entry, text)]
        return tuple(_without_recovery(edges))

    def _edge(self, call: Outgoing) -> CallEdge:
        pc, way, target = call.pc, call.way, call.target
        if call.closure:
            target = self._code_of_closure(call.closure)
        method = way is Way.METHOD and call.slot >= _METHODS
        if not target:
            what = way.value
            if method:
                what += f" (number {(call.slot - _METHODS) // _WORD} of its type)"
            verb = "holds" if way is Way.UNREADABLE else "calls"
            return CallEdge(pc, 0, "", None, f"it {verb} {what}", method)
        callee = self._lines.function_at(target)
        if callee is None:
            return CallEdge(pc, 0, "", None, "it calls code that is not Go's")
        entry = entry_of(callee.name, self._release, self._by_steps)
        hole = entry.why if entry and entry.effect is Effect.UNKNOWN else ""
        return CallEdge(pc, callee.entry, callee.name, entry, hole)

    def _code_of_closure(self, address: int) -> int:
        """The code of a function value that the linker laid down (name·f, read-only)."""
        section = self._program.elf.section_at(address)
        if section is None or (section.flags & SHF_WRITE and section.name != _RELOCATED):
            return 0
        return self._image.pointer(address)


def _without_recovery(edges: list[CallEdge]) -> Iterable[CallEdge]:
    """Without the call of deferreturn by which a recovered panic goes on, where the function calls
    what it deferred by itself: those calls are edges already (ssagen/ssa.go, openDeferExit)."""
    records = any(e.name.removesuffix(".abi0") in _STACK_CALLS for e in edges)
    for edge in edges:
        runs = edge.entry is not None and edge.entry.effect is Effect.RUNS_DEFERRED
        if runs and not records:
            continue
        if runs:
            yield CallEdge(edge.pc, 0, edge.name, edge.entry, "it runs deferred functions")
        else:
            yield edge
