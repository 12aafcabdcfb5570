"""Whether a promise was kept: one judgement, for `//goprobe:` comments and `assert_no_allocation`.

A promise speaks of code: of what stands in its lines, wherever that was inlined, and of what was
inlined into them. What functions that are called allocate counts for those. Objects are counted, so
that a promise which held did so each time; what was not seen to run is not known to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from goprobe.analysis.escape.predictions import inlined_by
from goprobe.analysis.escape.promises import RUN, Promise
from goprobe.binary.pcln.format import GENERATED, without_type_arguments
from goprobe.counts import counted
from goprobe.model.escape import Assertion, Call, Site, SourceLine, Verdict
from goprobe.runtime.entries import panics

_V = Verdict
NOT_THERE = "its code is not in this binary"
_FINE_ON_STACK = frozenset((_V.CONFIRMED_STACK, _V.STATIC, _V.ELIDED, _V.NO_COPY, _V.DEAD))


class Judgement(msgspec.Struct, frozen=True):
    """`known` is false where it neither held nor was broken, as far as was seen."""

    held: bool
    why: str
    known: bool = True


class PromisedCode(msgspec.Struct, frozen=True):
    """The code that a promise speaks of, and what was seen of it.

    `pieces` are its calls of the allocator, each with its site; `sites` what the compiler speaks
    of in its lines. `there`: it is in the binary; `gone` says why not. `started`: the program was
    run at all; `ran`: so was this code, None where that is not known; `unseen` says why the run was
    not seen to its end, `doubt` why it cannot be told whether all its variables are made by calls
    that are known. `may` names a call that may come to allocate though nothing asks for memory
    there, "" where there is none. `panics_apart`: the records that the runtime makes of panics are
    not asked about. `exempted`: calls of the allocator that are allowed are left out. `file` is
    where the promise stands: the lines of others are told with their files.
    """

    pieces: tuple[tuple[Site, Call], ...] = ()
    sites: tuple[Site, ...] = ()
    there: bool = True
    gone: str = "nothing calls it"
    started: bool = True
    ran: bool | None = False
    unseen: str = ""
    doubt: str = ""
    may: str = ""
    panics_apart: bool = False
    exempted: bool = False
    file: str = ""

    @property
    def allocating(self) -> list[tuple[Site, Call]]:
        return [(s, c) for s, c in self._made if not (self.panics_apart and panics(c.callee))]

    @property
    def _made(self) -> list[tuple[Site, Call]]:
        return [(s, c) for s, c in self.pieces if c.allocations > 0 or c.on_scheduler > 0]

    @property
    def executed(self) -> bool:
        return bool(self.ran) or any(call.ran or call.hits for _, call in self.pieces)


def check(promise: Promise, code: PromisedCode) -> Assertion:
    """What came of a promise of the source."""
    judgement = Judgement(False, promise.problem)
    if not promise.problem:
        judgement = judge(promise.word, code)
    return Assertion(
        promise.file, promise.line, promise.text, judgement.held, judgement.why, judgement.known
    )


def unanswered(promise: Promise, why: str) -> Assertion:
    """Of code that nobody looked at."""
    return Assertion(promise.file, promise.line, promise.text, False, why, known=False)


def judge(word: str, code: PromisedCode) -> Judgement:
    return {"noalloc": no_allocation, "heap": _heap, "stack": _stack}[word](code)


assert set(RUN) == {"noalloc", "heap", "stack"}


def no_allocation(code: PromisedCode) -> Judgement:
    if code.allocating:
        return Judgement(False, _said(code, *code.allocating[0]))
    if unknown := _unknown(code):
        return unknown
    if code.exempted:
        return Judgement(True, "nothing was allocated here but for what is allowed")
    may = code.pieces or code.may
    return Judgement(True, "nothing was allocated here" if may else "its code cannot allocate")


def _on_the_heap(code: PromisedCode) -> str:
    """What of it allocates or lies inside another object; "" where nothing was seen to."""
    if code.allocating:
        return _said(code, *code.allocating[0])
    shared = next((s for s in code.sites if s.verdict is _V.SHARED), None)
    return _told(code, shared) if shared else ""


def _heap(code: PromisedCode) -> Judgement:
    if why := _on_the_heap(code):
        return Judgement(True, why)
    if unknown := _unknown(code):
        return unknown
    if not code.sites:
        return Judgement(False, "there is nothing here that needs memory")
    unreached = next((s for s in code.sites if s.verdict is _V.NOT_REACHED), None)
    return Judgement(False, _told(code, unreached or code.sites[0]), known=unreached is None)


def _stack(code: PromisedCode) -> Judgement:
    if why := _on_the_heap(code):
        return Judgement(False, why)
    if unknown := _unknown(code):
        return unknown
    fine = [s for s in code.sites if s.verdict in _FINE_ON_STACK]
    if fine:
        return Judgement(True, _told(code, fine[0]))
    if code.sites:
        return Judgement(False, _told(code, code.sites[0]), known=False)
    return Judgement(False, "there is nothing here that needs memory")


def _unknown(code: PromisedCode) -> Judgement | None:
    """Why it is not known that nothing was allocated; None where it is."""
    contradicted = [s for s in code.sites if s.verdict is _V.CONTRADICTED]
    if contradicted:
        return Judgement(False, _told(code, contradicted[0]), known=False)
    if not code.there:
        return not_there(code)
    if code.doubt:
        return Judgement(False, code.doubt, known=False)
    can = _where(code, *code.pieces[0]) if code.pieces else code.may
    if not can:
        return None
    if not code.started:
        return Judgement(False, f"not run: {can} can allocate", known=False)
    if code.unseen:
        return Judgement(False, f"{can} can allocate: {code.unseen}", known=False)
    if not code.executed and code.ran is None:
        text = f"{can} can allocate: whether this code ran is not known"
        return Judgement(False, text, known=False)
    if not code.executed:
        return Judgement(False, f"{can} can allocate, and this code never ran", known=False)
    return None


def not_there(code: PromisedCode) -> Judgement:
    return Judgement(False, f"{NOT_THERE}: {code.gone}", known=False)


def _said(code: PromisedCode, site: Site, call: Call) -> str:
    text = _told(code, site, call)
    own = sum(c.allocations for s, c in code.pieces if s is site)
    if 0 < own < sum(c.allocations for c in site.calls):  # others of its line are not asked about
        text = f"{_where(code, site, call)}: {site.verdict}, {counted(own, 'time')} in this code"
    outer = call.frames[-1] if call.frames else None
    if outer and outer.file == site.file and outer.line != site.line:
        text += f" (in {outer.function}, line {outer.line})"
    return text


def _told(code: PromisedCode, site: Site, call: Call | None = None) -> str:
    return f"{_where(code, site, call)}: {site.verdict}, {site.reason}"


def _where(code: PromisedCode, site: Site, call: Call | None = None) -> str:
    if not code.file or site.file == code.file:
        return f"{site.expression} (line {site.line})"
    outside = f"{site.file.rpartition('/')[2]}:{site.line}"
    own = [frame.line for frame in call.frames if frame.file == code.file] if call else []
    place = f"line {own[0]}, inlined at {outside}" if own else outside
    return f"{site.expression} ({place})"


Holds = Callable[[SourceLine], bool]


def code_at(
    sites: Sequence[Site], holds: Holds, exempt: Holds | None = None, **seen: Any
) -> PromisedCode:
    """The code that stands where `holds` says, or was inlined there, but for what is `exempt`;
    `seen` as in PromisedCode."""
    here = tuple(
        site
        for site in sites
        if not site.parameter and holds(SourceLine(site.function, site.file, site.line))
    )
    pieces = [
        (site, call)
        for site in sites
        for call in site.calls
        if any(holds(frame) for frame in call.frames)
    ]
    moved = [(site, call) for site in _moved_elsewhere(here, sites) for call in site.calls]
    whole = tuple(dict.fromkeys((*pieces, *moved)))
    own = tuple(
        (site, call)
        for site, call in whole
        if not (exempt and any(exempt(frame) for frame in call.frames))
    )
    code = PromisedCode(own, here, exempted=len(own) < len(whole), **seen)
    if code.ran or any(call.ran or call.hits for _, call in pieces):
        return replace(code, ran=True)
    # What was inlined into a wrapper has calls there, but nothing is asked of its lines.
    in_wrappers = any(c.frames and c.frames[-1].file == GENERATED for _, c in whole)
    return replace(code, ran=None) if in_wrappers else code


_MOVED = "moved to heap: "


def _moved_elsewhere(here: Iterable[Site], sites: Iterable[Site]) -> Iterator[Site]:
    """Where a variable that is moved to the heap was inlined: the compiler says that it is declared
    at the call, and so does the line table."""
    wanted = {(_base(s.function), s.expression) for s in here if _is_moved(s)}
    for site in sites:
        names = inlined_by(site.messages)
        if _is_moved(site) and any((_base(name), site.expression) in wanted for name in names):
            yield site


def _is_moved(site: Site) -> bool:
    return any(message.startswith(_MOVED) for message in site.messages)


def _base(function: str) -> str:
    return without_type_arguments(function).rpartition(".")[2]
