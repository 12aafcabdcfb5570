"""The code cave in a traced program: put there, read, and taken out again.

Counters, modes and records are memory that the program and goprobe share, so they are read
without asking the program, and outlive it however it ends (SIGKILL, exec).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from goprobe.arch import patches, systemcalls
from goprobe.arch.displaced import (
    MAX_INSTRUCTION,
    CodeCopy,
    Displaced,
    NotDisplaceableError,
    displace,
)
from goprobe.arch.registers import Words
from goprobe.arch.stub import (
    CLAIMED,
    CONTROL_WORDS,
    FIRST_CLAIM,
    HITS,
    MODE,
    RECORD,
    RECORD_SIZE,
    RECORDS,
    StubLayout,
    make_stub,
    ring_size,
)
from goprobe.counts import counted
from goprobe.errors import CannotWorkError, UsageError
from goprobe.process.proc.maps import read_maps
from goprobe.process.tracer import inject
from goprobe.process.tracer.events import CountedCall, ProbeSite
from goprobe.process.tracer.later import LaterReturns
from goprobe.process.tracer.ledger import AllocatorCalls, Ledger, Made
from goprobe.process.tracer.noted import NotedProbes
from goprobe.process.tracer.points import Point, plan_points
from goprobe.process.tracer.stretches import COVERED, located, runs_of

_TEXT_LIMIT = 1 << 30
_REL32 = struct.Struct("<i")


class Cave:
    """The caves of one run. `close` when the run is over; counts can be read before that."""

    def __init__(
        self,
        sites: Sequence[CountedCall],
        probes: Sequence[ProbeSite],
        inspect: int,
        check_every: int,
        allocator: AllocatorCalls | None = None,
        sweeps: Collection[tuple[int, int]] = (),
    ) -> None:
        self.sites, self.probes, self.inspect = sites, probes, inspect
        self.ledger = ledger = Ledger(allocator or AllocatorCalls())
        self.later = later = LaterReturns(sites, sweeps, inspect)
        self.bias = 0
        self.callees: list[int] = []
        self.targets: list[int] = []
        self.points: dict[int, Point] = {}
        self.returns: dict[int, Point] = {}
        self._plan = plan_points(sites, probes, inspect)
        slots = len(self._plan.returns.keys() | self._plan.probes.keys())
        ring = ring_size(len(sites))
        stub = make_stub(inspect, ring, checked=check_every > 0)
        self.layout = layout = StubLayout(
            stub=stub,
            sites=len(sites),
            slots=slots,
            inspect=inspect,
            ring=ring,
            more_code=ledger.code_size + later.code_size,
            more_data=ledger.data_size + later.data_size,
        )
        self._by_number: list[Point] = []
        self._noted = NotedProbes(self._plan, layout, memoryview(b"").cast("Q"))
        self._originals: list[tuple[int, bytes]] = []
        self._uncounted = [0] * len(sites)
        self._memory = -1
        # Shared memory without a name: what the program counted stays with us, however it ends.
        self.file = os.memfd_create("goprobe", os.MFD_CLOEXEC)
        try:
            os.ftruncate(self.file, layout.data_size)
            self._data = mmap.mmap(self.file, layout.data_size)
        except OSError as error:
            os.close(self.file)
            raise CannotWorkError(
                f"no memory for the counters of {counted(len(sites), 'call')}: {error}"
            ) from None
        self._words = memoryview(self._data).cast("Q")
        self._words[0] = check_every  # the countdown comes first, see `stub.py`

    def close(self) -> None:
        self.later.words.release()
        self._words.release()
        self._data.close()
        os.close(self.file)

    # Putting it there

    def install(self, pid: int, words: Words, memory: int, binary: str) -> None:
        """Map and write the caves, patch the calls. `memory` is a writable /proc/PID/mem.

        The program stands before its first instruction, with `self.file` open in it.
        Raises UsageError where the code is not what the sites say.
        """
        self._memory = memory
        self.bias, entry = inject.bias_of(pid, binary)
        mappings = read_maps(pid)
        low, high = inject.image(mappings, entry)
        layout = self.layout
        size = layout.code_size + layout.data_size
        # A CALL reaches 2 GiB: the code has to lie that near to all of the program's.
        base = inject.place(mappings, low, high, size, layout.code_size)
        self.layout = layout = replace(layout, code=base, data=base + layout.code_size)
        ledger = self.ledger
        ledger.code, ledger.data, ledger.bias = layout.more_code_at, layout.more_data_at, self.bias
        later = self.later
        later.code, later.data = ledger.code + ledger.code_size, ledger.data + ledger.data_size
        later.bias, later.words = self.bias, self._words[(later.data - layout.data) // 8 :]
        self._map(pid, words)
        self._patch(low, high)

    def _map(self, pid: int, words: Words) -> None:
        layout = self.layout
        # NOREPLACE: never over what is there. Kernels before 4.17 take the address for a hint then,
        # so the answer is compared.
        code = inject.MAP_PRIVATE | inject.MAP_ANONYMOUS | inject.MAP_FIXED_NOREPLACE
        data = inject.MAP_SHARED | inject.MAP_FIXED_NOREPLACE
        runs, keeps = inject.PROT_READ | inject.PROT_EXEC, inject.PROT_READ | inject.PROT_WRITE
        maps = (
            (layout.code, layout.code_size, runs, code, (1 << 64) - 1),
            (layout.data, layout.data_size, keeps, data, self.file),
        )
        try:
            with inject.injecting(pid, words, self._memory) as injector:
                for at, *how in maps:
                    if injector.call(systemcalls.MMAP, at, *how, 0) != at:
                        raise OSError(0, "it was mapped elsewhere")
                injector.call(systemcalls.CLOSE, self.file)
        except OSError as error:
            raise CannotWorkError(
                f"the program cannot be given memory for counting: {error.strerror}"
            ) from None

    def _patch(self, low: int, high: int) -> None:
        addresses = [site.pc + self.bias for site in self.sites]
        addresses += [at + self.bias for at in self._plan.returns | self._plan.probes]
        addresses += [pc + self.bias for pc, _ in (*self.ledger.calls.calls, *self.later.gates)]
        runs = runs_of(addresses)
        if any(start < low or end > high + COVERED for start, end in runs):
            raise UsageError("an address to trace lies outside the program")
        texts = [(start, bytearray(self._read(start, end - start))) for start, end in runs]
        self._originals = [(start, bytes(text)) for start, text in texts]
        where, starts = dict(texts), [start for start, _ in runs]
        # All is checked and made in copies; the program's own code is written last, in one go.
        self.callees = self._redirect(where, starts)
        self._redirect_allocator(where, starts)
        self._arm(where, starts)
        self._write(self.layout.code, self.layout.assemble(self.callees) + self._noted.slots)
        begun = [self.layout.control(n) + 8 * CLAIMED for n in range(len(self.sites))]
        routines = self.ledger.assemble() + self.later.assemble(begun.__getitem__)
        self._write(self.layout.more_code_at, routines)
        self.ledger.fill(self._ledger_words, self._ledger_words.cast("B"))
        for start, text in texts:
            self._write(start, text)

    @property
    def _ledger_words(self) -> memoryview:
        return self._words[(self.layout.more_data_at - self.layout.data) // 8 :]

    def _redirect_allocator(self, where: Mapping[int, bytearray], starts: Sequence[int]) -> None:
        """Turn the runtime's own calls of its allocator to the ledger's routines, and those that
        begin to sweep to the gates."""
        enters = [(pc, to, self.ledger.enters(to)) for pc, to in self.ledger.calls.calls]
        enters += [(pc, to, self.later.gate(n)) for n, (pc, to) in enumerate(self.later.gates)]
        for link, callee, routine in enters:
            pc = link + self.bias
            text, at = located(where, starts, pc)
            if patches.callee(text, at, link) != callee:
                raise UsageError(f"the program has no call to {callee:#x} at {link:#x}")
            patches.set_callee(text, at, pc, routine)

    def _redirect(self, where: Mapping[int, bytearray], starts: Sequence[int]) -> list[int]:
        """Turn the calls to their stubs; returns where these go on to."""
        callees: list[int] = []
        for number, site in enumerate(self.sites):
            pc = site.pc + self.bias
            text, at = located(where, starts, pc)
            callee = patches.callee(text, at, pc)
            if callee is None or site.callee not in (0, callee - self.bias):
                raise UsageError(f"the program has no call to {site.callee:#x} at {site.pc:#x}")
            patches.set_callee(text, at, pc, self.layout.enter(number))
            self.targets.append(callee)
            callees.append(self.ledger.enters(callee - self.bias) or callee)
            returns = site.pc + patches.CALL_SIZE in self._plan.returns
            control = (number + 1) * CONTROL_WORDS
            self._set_mode(number, self.layout.stub.record if returns else self.layout.stub.count)
            self._words[control + CLAIMED] = FIRST_CLAIM
            self._words[control + RECORDS] = self.layout.records_of(number)
        return callees

    def _arm(self, where: Mapping[int, bytearray], starts: Sequence[int]) -> None:
        plan = self._plan
        self._noted = NotedProbes(plan, self.layout, self._words)
        for number, link in enumerate(plan.returns | plan.probes):
            address = link + self.bias
            text, at = located(where, starts, address)
            point = Point(address=address, number=number, original=text[at])
            self._by_number.append(point)
            if link in plan.probes:
                point.probe = plan.probes[link]
                point.probe_left = most = self.wanted(point.probe)
                site = self.probes[point.probe]
                if link not in plan.returns and self._noted.cover(point, site, most, text, at):
                    point.probe_left = 0
                    continue
            # Behind a call that never returns stands a trap of the compiler's, or other code.
            if link in plan.returns and not text.startswith(patches.NEVER_REACHED, at):
                point.site, point.returning = plan.returns[link], True
                self.returns[point.site] = point
            if point.returning or point.probe_left:
                self.points[address] = point
                if not (point.returning and self._notes_returns(point, text, at)):
                    text[at] = patches.BREAKPOINT

    def _notes_returns(self, point: Point, text: bytearray, at: int) -> bool:
        """Whether the program is made to note the returns itself that come to a point."""
        if point.probe_left and not self.probes[point.probe].only_whether:
            return False
        code = bytes(text[at : at + MAX_INSTRUCTION])
        if not (covered := self.later.cover(point.site, code, point.address)):
            return False
        patch, point.action = covered
        text[at : at + len(patch)] = patch
        point.original, point.inserted, point.probe_left = patch[0], False, 0
        return True

    # While it runs

    def ran(self) -> frozenset[int]:
        """The ids of the probes that told by themselves that they ran."""
        come = (p.probe for n, p in self.returns.items() if p.probe >= 0 and self.later.ran(n))
        return frozenset((*self._noted.ran(), *(self.probes[each].probe_id for each in come)))

    def counted(self) -> dict[int, tuple[int, int]]:
        """As of NotedProbes."""
        return self._noted.counted()

    def wanted(self, probe: int) -> int:
        """How many executions of a probe are looked at."""
        return self.probes[probe].limit or self.inspect

    def count(self, number: int) -> int:
        """How often the site's call has begun."""
        control = (number + 1) * CONTROL_WORDS
        return self._words[control + HITS] + self._uncounted[number]

    def made(self) -> dict[int, Made]:
        """What was allocated, by the owners' return addresses."""
        return self.ledger.made(self._ledger_words)

    def claimed(self, number: int) -> int:
        """How many calls of the site have been noted, or are just being."""
        return self._words[(number + 1) * CONTROL_WORDS + CLAIMED] // RECORD_SIZE - 1

    def record(self, number: int, index: int) -> tuple[int, ...] | None:
        """A record of a site, () once it is overwritten, None while it is not whole."""
        claim = FIRST_CLAIM + index * RECORD_SIZE
        *values, whole, begun = RECORD.unpack_from(
            self._data, self.layout.record_offset(number, claim)
        )
        # The stub writes `begun` first and `whole` last: alike, nobody wrote in between.
        if begun == whole == claim:
            return tuple(values)
        return () if begun > claim else None

    def complete_record(self, number: int, claim: int, values: Sequence[int]) -> None:
        """Write a record that a thread was moved away from."""
        RECORD.pack_into(
            self._data, self.layout.record_offset(number, claim), *values, claim, claim
        )

    def claim_at(self, address: int) -> int:
        """The claim of the record that lies at a target's address."""
        return self._words[(address - self.layout.data + RECORD_SIZE) // 8 - 1]

    def add_uncounted(self, number: int) -> None:
        self._uncounted[number] += 1

    @property
    def countdown(self) -> int:
        """Hits until the next check; 0 or less when it is due."""
        # Every hit counts it down, past 0 where several come before the check does.
        left = self._words[0]
        return left - (1 << 64) if left >> 63 else left

    @countdown.setter
    def countdown(self, hits: int) -> None:
        self._words[0] = hits

    def point_of_slot(self, pc: int) -> Point:
        return self._by_number[(pc - self.layout.slots_at) // self.layout.SLOT_SIZE]

    def action(self, point: Point) -> Displaced:
        """What to do in place of a point's instruction. NotDisplaceableError."""
        if point.action is None:
            code = os.pread(self._memory, MAX_INSTRUCTION, point.address)
            if not code:
                raise NotDisplaceableError("unreadable")
            slot = self.layout.slot(point.number)
            point.action = displace(bytes((point.original,)) + code[1:], point.address, slot)
            if isinstance(point.action, CodeCopy):
                self._rewrite(slot, point.action.code)
        return point.action

    def insert(self, point: Point) -> None:
        if not point.inserted:
            point.inserted = True
            self._rewrite(point.address, bytes((patches.BREAKPOINT,)))

    def extract(self, point: Point) -> None:
        """Take a breakpoint out. Threads that it has stopped already will still tell."""
        if point.inserted:
            point.inserted = False
            self._rewrite(point.address, bytes((point.original,)))

    def give_up(self, point: Point) -> None:
        """A breakpoint that cannot be passed is of no use."""
        point.returning, point.probe_left = False, 0
        if point.site >= 0:
            self.only_count(point.site)
        self.extract(point)

    def only_count(self, number: int) -> None:
        self._set_mode(number, self.layout.stub.count)

    def trap_calls(self, number: int) -> None:
        self._set_mode(number, self.layout.stub.trap)

    def _set_mode(self, number: int, offset: int) -> None:
        self._words[(number + 1) * CONTROL_WORDS + MODE] = self.layout.mode(number, offset)

    # Children

    def shared_by(self, memory: int) -> bool:
        """Whether another process, of this /proc/PID/mem, has the very same memory."""
        # The last word of our code is private memory: after a fork each has a copy of its own.
        at = self.layout.data - 8
        token = os.urandom(8)
        self._rewrite(at, token)
        return os.pread(memory, 8, at) == token

    def restore(self, memory: int) -> None:
        """Put the program's own code back, in a child that has a copy of its memory."""
        for start, text in self._originals:
            os.pwrite(memory, text, start)

    def _read(self, address: int, size: int) -> bytes:
        text = os.pread(self._memory, size, address) if size <= _TEXT_LIMIT else b""
        if len(text) != size:
            raise UsageError("an address to trace lies outside the program")
        return text

    def _rewrite(self, address: int, data: bytes) -> None:
        """Change what was written before, in a program that may have been killed meanwhile."""
        with contextlib.suppress(OSError):
            os.pwrite(self._memory, data, address)

    def _write(self, address: int, data: bytes | bytearray) -> None:
        try:
            done = os.pwrite(self._memory, data, address)
        except OSError as error:
            raise CannotWorkError(f"cannot patch the program: {error.strerror}") from None
        if done != len(data):
            raise CannotWorkError("cannot patch the program: it is not all there")
