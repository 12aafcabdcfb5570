"""Returns of inspected calls that are noted by the program itself, and looked at later.

A breakpoint at a return address holds its thread for as long as we look at what the call returned,
so that the collector cannot free that. It need not be held where only the kind of memory is asked
for: a span that a result lies in stays what it is until the collector sweeps the next time, and it
does so only after mheap_.sweepgen went on, with the world stopped, in runtime.gcSweep
(runtime/mgc.go, Go 1.21 to 1.27). So each return is noted (`arch/amd64/returnstub.py`), and all
notes are read before gcSweep is called, when a site has enough of them, and at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import msgspec

from goprobe.arch.elsewhere import CodeCopy
from goprobe.arch.registers import PC_WORD, SP_WORD, WORD, Words
from goprobe.arch.returnstub import (
    BEGUN_AT,
    CLAIM_WORD,
    G_AT,
    HIGH_AT,
    RECORD_SIZE,
    RECORD_WORD,
    RESULTS,
    RETURN_RECORD,
    SP_AT,
    WHOLE_AT,
    gate,
    noting_returns,
)
from goprobe.process.tracer.events import CountedCall

TAIL = 64
"""What is covered, with registers put by, and a jump back."""
_LINE = 64
_VOID = 2


class NotedReturn(msgspec.Struct, frozen=True):
    """What was found where a call returns; `begun` calls of its site had been made by then."""

    results: tuple[int, ...]
    sp: int
    g: int
    stack_hi: int
    begun: int


class LaterReturns:
    """Those of one run; `code` and `data` are where stubs and records lie in the target, once that
    is known, and `words` our side of the latter. `sweeps` are the CALLs of runtime.gcSweep, and
    what each calls, link-time."""

    def __init__(
        self, sites: Sequence[CountedCall], sweeps: Collection[tuple[int, int]], inspect: int
    ) -> None:
        wanted = [n for n, site in enumerate(sites) if site.later and site.inspect]
        self._places = {n: i for i, n in enumerate(wanted)} if sweeps and inspect else {}
        self.gates = tuple(sweeps) if self._places else ()
        self._sites = tuple(wanted)
        self._records = inspect
        self._stub, self._gate = noting_returns(max(inspect, 1)), gate()
        self._actions: dict[int, CodeCopy] = {}
        self._read: dict[int, int] = {}
        self._open: set[int] = set()
        self.code = self.data = self.bias = 0
        self.words = memoryview(b"").cast("Q")

    @property
    def _stub_size(self) -> int:
        return len(self._stub.code) + TAIL

    @property
    def _gates_at(self) -> int:
        return self.code + len(self._places) * self._stub_size

    @property
    def code_size(self) -> int:
        return len(self._places) * self._stub_size + len(self.gates) * len(self._gate.code)

    @property
    def data_size(self) -> int:
        per_site = _LINE + self._records * RECORD_SIZE
        return _LINE + len(self._places) * per_site if self._places else 0

    # Putting it there

    def is_wanted(self, number: int) -> bool:
        """Whether returns of a site are to be noted, where that can be."""
        return number in self._places

    def stub_of(self, number: int) -> tuple[int, int]:
        """Where the stub of a site begins, and how far in it lies what is covered."""
        return self._stub_at(number), self._stub.labels["on"]

    def note(self, actions: Mapping[int, CodeCopy]) -> None:
        """The sites whose returns are noted, and what was covered for that."""
        self._actions = dict(actions)
        self._read = dict.fromkeys(actions, 0)
        self._open = set(actions)

    def assemble(self, covered: Mapping[int, bytes], begun_at: Callable[[int], int]) -> bytes:
        """All code, with what is covered at the returns of sites; `begun_at` says where a site has
        its word of calls that have begun."""
        out = bytearray(self.code_size)
        for number, tail in covered.items():
            start = self._stub_at(number)
            records = self._records_at(number)
            targets = {
                **{name: start + at for name, at in self._stub.labels.items()},
                "returned": self._returned_at(number),
                "begun": begun_at(number),
                "pending": self.data,
                "records": records,
                "last": records + (self._records - 1) * RECORD_SIZE,
            }
            code = self._stub.at(start, targets) + tail
            out[start - self.code : start - self.code + len(code)] = code
        for index, (_, callee) in enumerate(self.gates):
            start = self.gate(index)
            targets = {"pending": self.data, "callee": callee + self.bias}
            code = self._gate.at(start, targets)
            out[start - self.code : start - self.code + len(code)] = code
        return bytes(out)

    def gate(self, index: int) -> int:
        return self._gates_at + index * len(self._gate.code)

    def _stub_at(self, number: int) -> int:
        return self.code + self._places[number] * self._stub_size

    def _returned_at(self, number: int) -> int:
        return self.data + _LINE * (self._places[number] + 1)

    def _records_at(self, number: int) -> int:
        first = self.data + _LINE * (len(self._places) + 1)
        return first + self._places[number] * self._records * RECORD_SIZE

    # While it runs

    def holds(self, pc: int) -> bool:
        return self.code <= pc < self.code + self.code_size

    def trapped(self, at: int) -> tuple[int, int] | None:
        """Of an int3 of ours: the site whose records are full, -1 for all of them, and where the
        thread goes on."""
        if at >= self._gates_at:
            index, offset = divmod(at - self._gates_at, len(self._gate.code))
            held = offset == self._gate.labels["held"]
            return (-1, self.gates[index][1] + self.bias) if held else None
        number, offset = self._within(at)
        on = self._stub_at(number) + self._stub.labels["on"]
        return (number, on) if offset == self._stub.labels["full"] else None

    def _within(self, pc: int) -> tuple[int, int]:
        place, offset = divmod(pc - self.code, self._stub_size)
        return self._sites[place], offset

    def leave(self, words: Words, word_at: Callable[[int], int]) -> None:
        """Send a thread that is about to take a signal back to the program's own code."""
        pc = words[PC_WORD]
        if pc >= self._gates_at:
            index = (pc - self._gates_at) // len(self._gate.code)
            words[PC_WORD] = self.gates[index][0] + self.bias
            words[SP_WORD] += WORD  # the call is undone
            return
        number, offset = self._within(pc)
        labels, action = self._stub.labels, self._actions[number]
        if labels["claimed"] <= offset < labels["placed"]:
            self._void(number, words[CLAIM_WORD])
        elif labels["placed"] <= offset < labels["noted"]:
            self._void(number, words[RECORD_WORD] - self._records_at(number))
        action.leave(words, word_at)

    def _void(self, number: int, claim: int) -> None:
        if 0 <= claim < self._records * RECORD_SIZE:
            at = self._records_at(number) + claim - self.data + WORD * WHOLE_AT
            self.words[at // WORD] = _VOID

    def fresh(self, number: int) -> Iterator[NotedReturn]:
        """The returns of a site that were noted since, in their order."""
        index = self._read[number]
        while index < min(self._returned(number), self._records):
            at = self._records_at(number) - self.data + index * RECORD_SIZE
            *values, whole = RETURN_RECORD.unpack_from(self.words, at)
            if not whole:
                return  # it is just being written
            index += 1
            self._read[number] = index
            if whole != _VOID:
                sp, g, high, begun = (values[n] for n in (SP_AT, G_AT, HIGH_AT, BEGUN_AT))
                yield NotedReturn(tuple(values[:RESULTS]), sp, g, high, begun)

    def pending(self) -> Sequence[int]:
        """The sites that are waited for; what is noted from now on is new."""
        if self._places:
            self.words[0] = 0
        return sorted(self._open)

    def exhausted(self, number: int) -> bool:
        """Whether a site has no room for more."""
        return self._read[number] >= self._records

    def close(self, number: int) -> None:
        """No more returns of a site are wanted."""
        self._open.discard(number)
        self.words[(self._returned_at(number) - self.data) // WORD] = self._records * RECORD_SIZE

    def _returned(self, number: int) -> int:
        return self.words[(self._returned_at(number) - self.data) // WORD] // RECORD_SIZE

    def ran(self, number: int) -> bool:
        """Whether the instruction at which a site returns was come to."""
        return number in self._actions and self._returned(number) > 0
