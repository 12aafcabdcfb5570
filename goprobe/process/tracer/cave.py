"""The code cave in a traced program: put there, read, and taken out again.

Counters, modes and records are memory that the program and goprobe share, so they are read
without asking the program, and outlive it however it ends (SIGKILL, exec).
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property

from msgspec.structs import replace

from goprobe.arch import patches, systemcalls
from goprobe.arch.elsewhere import CodeCopy, Copied, Displaced, FrameCount, NotDisplaceableError
from goprobe.arch.registers import PC_WORD, Words
from goprobe.arch.stub import (
    CLAIMED,
    CONTROL_WORDS,
    FIRST_CLAIM,
    HITS,
    MODE,
    RECORD,
    RECORD_SIZE,
    StubLayout,
    make_stub,
    ring_size,
)
from goprobe.counts import counted
from goprobe.errors import CannotWorkError, UsageError
from goprobe.process.proc.maps import read_maps
from goprobe.process.tracer import inject
from goprobe.process.tracer.armed import Armed, KeptArmed, key_of
from goprobe.process.tracer.events import CountedCall, ProbeSite
from goprobe.process.tracer.later import LaterReturns
from goprobe.process.tracer.ledger import AllocatorCalls, Ledger, Made
from goprobe.process.tracer.noted import NotedProbes
from goprobe.process.tracer.points import Point, plan_points
from goprobe.process.tracer.stretches import COVERED, runs_of

_TEXT_LIMIT = 1 << 30


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
        kept: KeptArmed | None = None,
    ) -> None:
        self.sites, self.probes, self.inspect = sites, probes, inspect
        self._kept, self._check_every = kept, check_every
        self.ledger = ledger = Ledger(allocator or AllocatorCalls())
        self.later = later = LaterReturns(sites, sweeps, inspect)
        self.bias = 0
        self.callees: Sequence[int] = ()
        self.targets: Sequence[int] = ()
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
        self._armed: Armed | None = None
        self._noted: NotedProbes | None = None
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

    def close(self) -> None:
        self.later.words.release()
        if self._noted:
            self._noted.words.release()
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
        texts = [(start, self._read(start, end - start)) for start, end in runs]
        self._originals = texts
        # All is checked and made in copies; the program's own code is written last, in one go.
        armed = self._armed = self._kept_or_made(texts)
        self._know(armed)
        self._write(self.layout.code, armed.code)
        for (start, _), text in zip(texts, armed.texts, strict=True):
            self._write(start, text)

    def _kept_or_made(self, texts: Sequence[tuple[int, bytes]]) -> Armed:
        layout, key = self.layout, ""
        if self._kept:
            asked = (
                (self.sites, self.probes, self.inspect, self._check_every, self.bias),
                (self.ledger.calls, self.later.gates, [start for start, _ in texts]),
                (layout.code, layout.data, layout.ring),
            )
            key = key_of(asked, *(text for _, text in texts))
            if kept := self._kept.load(key):
                return kept
        # Brings the decoder of instructions along.
        from goprobe.process.tracer.arming import Arming

        armed = Arming(
            self.sites,
            self.probes,
            self._plan,
            layout,
            texts,
            self.ledger,
            self.later,
            [self.wanted(probe) for probe in range(len(self.probes))],
            self._check_every,
        ).made()
        if self._kept:
            self._kept.keep(key, armed)
        return armed

    def _know(self, armed: Armed) -> None:
        """What is known from now on, and what the shared memory begins with."""
        layout = self.layout
        self.callees, self.targets = armed.callees, armed.targets
        self.points = {point.address: point for point in armed.points}
        self.returns = {point.site: point for point in armed.points if point.returning}
        returns = self.returns.items()
        self.later.note(
            {n: p.action for n, p in returns if not p.inserted and isinstance(p.action, CodeCopy)}
        )
        self._data[: len(armed.control)] = armed.control
        at = layout.slot_words_at - layout.data
        self._data[at : at + len(armed.slot_words)] = armed.slot_words
        self._noted = NotedProbes(armed.noted, self.probes, self.wanted, layout, self._words)
        self.ledger.fill(armed.places, self._ledger_words, self._ledger_words.cast("B"))

    @property
    def _ledger_words(self) -> memoryview:
        return self._words[(self.layout.more_data_at - self.layout.data) // 8 :]

    # While it runs

    def ran(self) -> frozenset[int]:
        """The ids of the probes that told by themselves that they ran."""
        come = (p.probe for n, p in self.returns.items() if p.probe >= 0 and self.later.ran(n))
        noted = self._noted.ran() if self._noted else ()
        return frozenset((*noted, *(self.probes[each].probe_id for each in come)))

    def counted(self) -> dict[int, tuple[int, int]]:
        """As of NotedProbes."""
        return self._noted.counted() if self._noted else {}

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

    def leave_slot(self, words: Words, word_at: Callable[[int], int]) -> bool:
        """Put a thread that is in a slot to where it would be in the program; False where there is
        nothing in it."""
        number = (words[PC_WORD] - self.layout.slots_at) // self.layout.SLOT_SIZE
        action: Displaced | None = self._slots.get(number)
        if action is None:
            action = next((p.action for p in self.points.values() if p.number == number), None)
        if not isinstance(action, CodeCopy):
            return False
        if isinstance(action, FrameCount) and action.has_counted(words[PC_WORD]) and self._noted:
            self._noted.put_off(number, inside=action.is_inside(words, word_at))
        action.leave(words, word_at)
        return True

    @cached_property
    def _slots(self) -> Mapping[int, Copied]:
        return self._armed.slots() if self._armed else {}

    def action(self, point: Point) -> Displaced:
        """What to do in place of a point's instruction. NotDisplaceableError."""
        if point.action is None:
            raise NotDisplaceableError("it does not run elsewhere")
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
