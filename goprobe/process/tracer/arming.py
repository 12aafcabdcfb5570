"""Makes what is put into a program to be counted (`armed.py`): the calls that are turned, the
breakpoints, the jumps to code that notes, and that code. Nothing is written here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain

import msgspec
from msgspec.structs import replace

from goprobe.arch import patches
from goprobe.arch.displaced import displace
from goprobe.arch.elsewhere import MAX_INSTRUCTION, CodeCopy, NotDisplaceableError
from goprobe.arch.framecount import frame_count
from goprobe.arch.once import noting, return_stub
from goprobe.arch.stub import (
    CLAIMED,
    CONTROL_WORDS,
    FIRST_CLAIM,
    MODE,
    RECORDS,
    StubLayout,
)
from goprobe.errors import UsageError
from goprobe.process.tracer.armed import Armed
from goprobe.process.tracer.events import CountedCall, ProbeSite
from goprobe.process.tracer.later import TAIL, LaterReturns
from goprobe.process.tracer.ledger import Ledger
from goprobe.process.tracer.noted import MODE_WORD, MORE, Noted
from goprobe.process.tracer.points import Plan, Point
from goprobe.process.tracer.stretches import COVERED, located

_WORD = struct.Struct("<Q")


class Arming:
    """Of one run. `texts` are stretches of code that hold all of the plan's addresses, by where
    they lie, as the program has them; `wanted` says how many executions of a probe are wanted;
    `ledger` and `later` know where they will lie."""

    def __init__(
        self,
        sites: Sequence[CountedCall],
        probes: Sequence[ProbeSite],
        plan: Plan,
        layout: StubLayout,
        texts: Sequence[tuple[int, bytes]],
        ledger: Ledger,
        later: LaterReturns,
        wanted: Sequence[int],
        countdown: int,
    ) -> None:
        self._sites, self._probes, self._plan, self._layout = sites, probes, plan, layout
        self._ledger, self._later, self._wanted = ledger, later, wanted
        self._bias = ledger.bias
        self._where = {start: bytearray(text) for start, text in texts}
        self._starts = [start for start, _ in texts]
        self._slots = bytearray(layout.more_code_at - layout.slots_at)
        self._control = bytearray(8 * CONTROL_WORDS * (len(sites) + 1))
        self._slot_words = bytearray(8 * layout.SLOT_WORDS * layout.slots)
        _WORD.pack_into(self._control, 0, countdown)
        self._targets: list[int] = []
        self._points: list[Point] = []
        self._noted: list[Noted] = []
        self._moved: dict[int, CodeCopy] = {}
        self._returns: dict[int, bytes] = {}

    def made(self) -> Armed:
        """Raises UsageError where the code is not what the sites say."""
        layout = self._layout
        callees = self._redirect()
        self._redirect_allocator()
        for number, link in enumerate(self._plan.returns | self._plan.probes):
            self._arm(number, link)
        for point in self._points:
            self._displace(point)
        begun = [layout.control(n) + 8 * CLAIMED for n in range(len(self._sites))]
        routines = self._ledger.assemble(), self._later.assemble(self._returns, begun.__getitem__)
        return Armed(
            texts=tuple(bytes(self._where[start]) for start in self._starts),
            code=b"".join((layout.assemble(callees), self._slots, *routines)),
            control=bytes(self._control),
            slot_words=bytes(self._slot_words),
            places=tuple(self._ledger.places()),
            callees=tuple(callees),
            targets=tuple(self._targets),
            points=tuple(self._points),
            noted=tuple(self._noted),
            moved=msgspec.Raw(msgspec.msgpack.encode(self._moved)),
        )

    # Calls

    def _redirect(self) -> list[int]:
        """Turn the calls to their stubs; returns where these go on to."""
        callees: list[int] = []
        layout = self._layout
        for number, site in enumerate(self._sites):
            pc = site.pc + self._bias
            text, at = located(self._where, self._starts, pc)
            callee = patches.callee(text, at, pc)
            if callee is None or site.callee not in (0, callee - self._bias):
                raise UsageError(f"the program has no call to {site.callee:#x} at {site.pc:#x}")
            patches.set_callee(text, at, pc, layout.enter(number))
            self._targets.append(callee)
            callees.append(self._ledger.enters(callee - self._bias) or callee)
            returns = site.pc + patches.CALL_SIZE in self._plan.returns
            mode = layout.stub.record if returns else layout.stub.count
            self._set(number, MODE, layout.mode(number, mode))
            self._set(number, CLAIMED, FIRST_CLAIM)
            self._set(number, RECORDS, layout.records_of(number))
        return callees

    def _set(self, number: int, word: int, value: int) -> None:
        _WORD.pack_into(self._control, 8 * ((number + 1) * CONTROL_WORDS + word), value)

    def _redirect_allocator(self) -> None:
        """Turn the runtime's own calls of its allocator to the ledger's routines, and those that
        begin to sweep to the gates."""
        ledger, later = self._ledger, self._later
        enters = ((pc, to, ledger.enters(to)) for pc, to in ledger.calls.calls)
        gates = ((pc, to, later.gate(n)) for n, (pc, to) in enumerate(later.gates))
        for link, callee, routine in chain(enters, gates):
            pc = link + self._bias
            text, at = located(self._where, self._starts, pc)
            if patches.callee(text, at, link) != callee:
                raise UsageError(f"the program has no call to {callee:#x} at {link:#x}")
            patches.set_callee(text, at, pc, routine)

    # Points

    def _arm(self, number: int, link: int) -> None:
        plan, address = self._plan, link + self._bias
        text, at = located(self._where, self._starts, address)
        point = Point(address=address, number=number, original=text[at])
        if link in plan.probes:
            point.probe = plan.probes[link]
            point.probe_left = self._wanted[point.probe]
            if link not in plan.returns and self._notes(point, text, at):
                return
        # Behind a call that never returns stands a trap of the compiler's, or other code.
        if link in plan.returns and not text.startswith(patches.NEVER_REACHED, at):
            point.site, point.returning = plan.returns[link], True
        if point.returning or point.probe_left:
            self._points.append(point)
            if not (point.returning and self._notes_returns(point, text, at)):
                text[at] = patches.BREAKPOINT

    def _notes(self, point: Point, text: bytearray, at: int) -> bool:
        """Whether an instruction tells by itself that it runs; then it is made to."""
        layout, site = self._layout, self._probes[point.probe]
        slot, word = layout.slot(point.number), layout.slot_word(point.number)
        code = bytes(text[at : at + COVERED])
        if site.only_whether and self._plan.apart(site.pc, site.room):
            if not (once := noting(code, point.address, slot, word, site.room)):
                return False
            patch, body, action, begins = once.patch, once.code, once.action, once.word
            begins_at = word
        elif site.counts:
            most = point.probe_left + MORE
            counts = frame_count(code, point.address, slot, word, site.above, most)
            if not counts:
                return False
            patch, begins, action = counts
            body, begins_at = action.code, word + 8 * MODE_WORD
        else:
            return False
        if len(body) > layout.SLOT_SIZE:
            return False
        text[at : at + len(patch)] = patch
        self._fill(slot, body)
        _WORD.pack_into(self._slot_words, begins_at - layout.slot_words_at, begins)
        self._noted.append((point.number, point.probe, begins, site.counts))
        self._moved[point.number] = replace(action, code=b"")
        return True

    def _notes_returns(self, point: Point, text: bytearray, at: int) -> bool:
        """Whether the program is made to note the returns itself that come to a point."""
        if point.probe_left and not self._probes[point.probe].only_whether:
            return False
        if not self._later.is_wanted(point.site):
            return False
        code, link = bytes(text[at : at + COVERED]), point.address - self._bias
        room = self._sites[point.site].room
        if not self._plan.apart(link, room):
            return False
        stub = return_stub(code, point.address, *self._later.stub_of(point.site), room)
        if stub is None or len(stub.code) > TAIL:
            return False
        text[at : at + len(stub.patch)] = stub.patch
        self._returns[point.site] = stub.code
        point.action = replace(stub.action, code=b"")
        point.original, point.inserted, point.probe_left = stub.patch[0], False, 0
        return True

    def _displace(self, point: Point) -> None:
        """How a thread runs on past a breakpoint that stays, where it can."""
        if point.action is not None:
            return
        text, at = located(self._where, self._starts, point.address)
        code = bytes((point.original,)) + text[at + 1 : at + MAX_INSTRUCTION]
        slot = self._layout.slot(point.number)
        try:
            action = displace(code, point.address, slot)
        except NotDisplaceableError:
            return
        if isinstance(action, CodeCopy):
            self._fill(slot, action.code)
            action = replace(action, code=b"")
        point.action = action

    def _fill(self, slot: int, code: bytes) -> None:
        into = slot - self._layout.slots_at
        self._slots[into : into + len(code)] = code
