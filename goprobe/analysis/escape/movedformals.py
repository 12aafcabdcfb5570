"""Whose a variable is that is moved to the heap where its function was inlined.

The compiler declares the parameters, the receiver and the named results of a call that it inlines
at the call itself, outside of the inlined body (unifiedInlineCall of cmd/compile/internal/noder,
"Use inlined position of name.Pos() instead?", Go 1.21 to 1.27): the call that makes their memory
has the caller's place, and the inlining tree does not name the function whose they are, which may
have no code of its own at all. The compiler's messages do: "moved to heap: p" and "inlining call to
F" in one place, and "moved to heap: p" in F itself. A wrapper, which has no place in the source,
calls one method alone; what it moves is that one's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.escape.methods import method_name
from goprobe.analysis.escape.predictions import Predicted, Predictions, inlined_by
from goprobe.analysis.escape.promisedplaces import PromisedPlaces
from goprobe.analysis.escape.promises import Promise
from goprobe.analysis.escape.score import same_function
from goprobe.analysis.escape.siteplan import SitePlan
from goprobe.binary.pcln.format import (
    GENERATED,
    PCDATA_INL_TREE_INDEX,
    Function,
    SourceFrame,
    plain_name,
    without_type_arguments,
)
from goprobe.binary.pcln.table import LineTable
from goprobe.runtime.allocatorcalls import Family


class _Moved(msgspec.Struct, frozen=True):
    """A variable that a function moves to the heap: the function's symbol without type arguments,
    its first line, and the variable's place; `formal`: it stands in the signature."""

    function: str
    start: int
    last: int
    file: str
    line: int
    name: str
    formal: bool


class Doubt(msgspec.Struct, frozen=True):
    """A variable of a function that is inlined in some place, and moved to the heap there by a call
    that is not known: `frame` is its declaration's."""

    frame: SourceFrame
    why: str


def doubt_of(doubts: Iterable[Doubt], promise: Promise, places: PromisedPlaces) -> str:
    """Why it cannot be told whether a promise's code makes all its variables itself, "" where it
    can."""
    frames = ((doubt.why, doubt.frame) for doubt in doubts)
    named = without_type_arguments(promise.named)
    told = (
        why
        for why, f in frames
        if places.speaks(promise, f.function, f.file, f.line)
        or (named and not f.file and same_function(named, without_type_arguments(f.function)))
    )
    return next(told, "")


class MovedFormals:
    """`canonical` gives files their names in `predictions`; `prefix` what stands before the names
    of a file's functions; `type_name` names a type descriptor; `lines` has the calls inlined."""

    def __init__(
        self,
        predictions: Predictions,
        canonical: Callable[[str], str],
        prefix: Callable[[str], str],
        type_name: Callable[[int], str],
        lines: LineTable,
    ) -> None:
        self._predictions, self._canonical = predictions, canonical
        self._prefix, self._type_name, self._lines = prefix, type_name, lines
        moved = (p for p in predictions.sites if p.moved)
        self._by_name: dict[str, list[_Moved]] = {}
        for each in moved:
            if not inlined_by(each.messages):
                for own in self._declared(each):
                    self._by_name.setdefault(each.expression, []).append(own)
        self._all = tuple(m for of_name in self._by_name.values() for m in of_name)
        self._known = frozenset(m.function for m in self._all)
        # Of what //line in several packages names nobody tells the package.
        self._bare = frozenset(m.function for m in self._all if not prefix(m.file))
        self._methods = {method_name(function) for function in self._known}

    def _declared(self, moved: Predicted) -> Iterator[_Moved]:
        """The functions in which a variable is declared: of those that begin above it the last
        ones, of those of one line all."""
        file, line, name = moved.file, moved.line, moved.expression
        above = [d for d in self._predictions.declared.get(file, ()) if d[0] <= line]
        for start, last, function in above:
            if start == above[-1][0]:
                symbol = f"{self._prefix(file)}{without_type_arguments(function)}"
                yield _Moved(symbol, start, max(last, line), file, line, name, moved.in_signature)

    # Wrappers

    def may_move(self, wrapper: Function) -> bool:
        """Whether a function that no source has may hold a method that moves a variable."""
        return wrapper.file == GENERATED and _method(wrapper.name) in self._methods

    def in_wrapper(self, call: AllocationCall) -> AllocationCall:
        """A call as it is, but for one that a wrapper makes for the method that it calls."""
        outer = call.outer
        if len(call.frames) > 1 or outer.file != GENERATED or not _makes_variables(call):
            return call
        owners = self._behind(outer.function, call)
        return _for(call, owners[0]) if len(owners) == 1 else call

    def _behind(self, wrapper: str, call: AllocationCall) -> list[_Moved]:
        """The variable that a wrapper moves, one where nobody doubts it: of the method that it is
        called after, or, where that is promoted, the method of what it moves."""
        method = _method(wrapper)
        methods = [m for m in self._all if method and method_name(m.function) == method]
        plain = plain_name(wrapper).replace("(*", "").replace(")", "").removesuffix("-fm")
        own = [m for m in methods if plain_name(m.function) == plain]
        receiver = plain_name(self._type_name(call.type)) if call.type else ""
        by_type = [m for m in methods if receiver and _is_of(m.function, receiver, method)]
        return own[:1] or by_type[:1] or methods

    # Calls that were inlined

    def give(self, plans: Iterable[SitePlan]) -> tuple[Doubt, ...]:
        """Puts the function of each variable innermost in the calls that make it; tells where that
        cannot be told."""
        doubts: list[Doubt] = []
        for plan in plans:
            names = inlined_by(plan.predicted.messages)
            if plan.predicted.moved and names:
                calls = [self._given(plan, call, doubts) for call in plan.calls]
                plan.calls[:] = calls
                # What has no size needs no memory; in code that is not there nothing is moved.
                if not (calls or plan.statics) and plan.alive and plan.code:
                    doubts += self._doubted(plan, self._owners(plan, names))
        return tuple(doubts)

    def unseen(self, others: Iterable[tuple[Function, object]]) -> Iterator[Doubt]:
        """Of functions that are not looked at, and into which some that move a variable of their
        signature were inlined: whether it is moved there the compiler does not say here."""
        lines = self._lines
        formals = {m.function: m for m in self._all if m.formal}
        for other, _ in others if formals else ():
            if lines.is_wrapper(other.entry):
                continue
            numbers = set(lines.pcdata_runs(other, PCDATA_INL_TREE_INDEX).values)
            calls = (lines.inlined_call(other, n) for n in numbers if n >= 0)
            inlined = {lines.name_at(call.name_offset) for call in calls}
            for name in formals.keys() & set(map(without_type_arguments, inlined)):
                where = f"was inlined into {other.name}, which is not looked at"
                why = f"{formals[name].name} is moved to the heap, and the function {where}"
                yield Doubt(_frame(formals[name], 0), why)

    def _given(self, plan: SitePlan, call: AllocationCall, doubts: list[Doubt]) -> AllocationCall:
        if not _makes_variables(call):
            return call
        inner = call.frames[0]
        place = self._canonical(inner.file), inner.line
        here = place == (plan.predicted.file, plan.predicted.line)
        names = inlined_by(plan.predicted.messages)
        if not here:
            names = tuple(name for _, name in self._predictions.inlined.get(place, ()))
        owners = self._owners(plan, names) or self._in_tree(plan, call, names)
        own = [] if here else self._own(_variable(plan.predicted), *place)
        if len(owners) == 1 and not own:
            return _for(call, owners[0])
        doubts += self._doubted(plan, owners)
        if not owners:  # of packages that are not looked at the compiler says no more
            unknown = SourceFrame("", "", 0, True, 0)
            why = f"{plan.predicted.expression} is moved to the heap where it was inlined"
            doubts += [Doubt(replace(unknown, function=name), why) for name in names]
        return call

    def _in_tree(self, plan: SitePlan, call: AllocationCall, names: Sequence[str]) -> list[_Moved]:
        """The variable of the one function of these names of which there is code inlined where a
        call stands: the compiler speaks of it nowhere else where it is generic (instances are the
        users') or its package is not looked at."""
        function = self._lines.function_at(call.pc)
        if function is None:
            return []
        plain = [without_type_arguments(name) for name in names]
        inlined: dict[str, SourceFrame] = {}
        for low, _, number in self._lines.pcdata_runs(function, PCDATA_INL_TREE_INDEX):
            frames = self._lines.inline_stack(function, function.entry + low) if number >= 0 else ()
            for frame in frames[:-1]:
                symbol = without_type_arguments(frame.function)
                if any(symbol == each or _is_qualified(symbol, each) for each in plain):
                    inlined[symbol] = frame
        name = _variable(plan.predicted)
        return [
            _Moved(
                symbol,
                f.start_line,
                f.start_line,
                self._canonical(f.file),
                f.start_line,
                name,
                True,
            )
            for symbol, f in inlined.items()
        ]

    def _own(self, name: str, file: str, line: int) -> list[_Moved]:
        """The variables of a name that a line itself declares."""
        known = self._by_name.get(name, ())
        return [m for m in known if (m.file, m.line) == (file, line)]

    def _owners(self, plan: SitePlan, names: Sequence[str]) -> list[_Moved]:
        """The variables of which a site may be, of functions that were inlined there by these
        names: but for those of what was inlined into another of these in turn."""
        symbols = {name: self._symbols(plan.predicted.file, name) for name in names}
        known = self._by_name.get(_variable(plan.predicted), ())
        owners = {m.function: m for m in known if any(m.function in s for s in symbols.values())}
        if len(owners) < 2:
            return list(owners.values())
        nested = {o for o in owners for other in owners.values() if self._holds(other, o)}
        return [m for function, m in owners.items() if function not in nested] or [*owners.values()]

    def _symbols(self, file: str, name: str) -> tuple[str, ...]:
        """What a function may be called in the binary that the compiler calls so in a file."""
        plain = without_type_arguments(name)
        own = f"{self._prefix(file)}{plain}"
        if own in self._known:
            return (own,)
        return tuple(
            s
            for s in self._known
            if s == plain
            or _is_qualified(s, plain)
            or (s in self._bare and plain.endswith(f".{s}"))
        )

    def _holds(self, outer: _Moved, inner: str) -> bool:
        """Whether a function was inlined into another."""
        if outer.function == inner:
            return False
        return any(
            inner in self._symbols(outer.file, name)
            for line in range(outer.start, min(outer.last, outer.start + _MOST_LINES) + 1)
            for _, name in self._predictions.inlined.get((outer.file, line), ())
        )

    def _doubted(self, plan: SitePlan, owners: Iterable[_Moved]) -> Iterator[Doubt]:
        for owner in owners:
            where = f"{plan.predicted.file.rpartition('/')[2]}:{plan.predicted.line}"
            why = f"{owner.name} is moved to the heap where it was inlined ({where})"
            yield Doubt(_frame(owner, 0), f"{why}, by which call is not known")


_MOST_LINES = 2000


def _variable(predicted: Predicted) -> str:
    """A variable's name: those of another package's functions are told with the package's."""
    return predicted.expression.rpartition(".")[2]


def _makes_variables(call: AllocationCall) -> bool:
    return call.asks and call.allocator.family is Family.OBJECT


def _method(symbol: str) -> str:
    return method_name(symbol.removesuffix("-fm"))


def _is_of(function: str, receiver: str, method: str) -> bool:
    """Whether a method is that of a type, by the type's name with the last part of its path."""
    return plain_name(function).rpartition("/")[2] == f"{receiver}.{method}"


def _is_qualified(symbol: str, name: str) -> bool:
    """Whether a name with its package is a function's of another package."""
    return "." in name and same_function(symbol, name) and not symbol.endswith(f".{name}")


def _for(call: AllocationCall, owner: _Moved) -> AllocationCall:
    return replace(call, frames=(_frame(owner, call.pc), *call.frames), moved=True)


def _frame(owner: _Moved, pc: int) -> SourceFrame:
    return SourceFrame(owner.function, owner.file, owner.line, True, owner.start, pc=pc)
