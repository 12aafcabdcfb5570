"""What is done at a breakpoint of a counted run: inspecting a hit, and letting its thread go on.

What is stopped when: at a hit only the thread that hit; its goroutine can neither go on nor be
preempted, so the collector cannot free what the call returned. With `hold_all`, and at checks,
all threads. A call is known again at its return by goroutine and the distance of SP from
g.stack.hi, not by thread: goroutines move between threads, and stacks move (`calls.py`).
The first calls to return are the ones inspected: a few that wait long keep nobody waiting.

No signal handler ever runs with a pc in our code: a thread that is about to take a signal inside
a cave is moved out first (`leave_cave`).
"""

from __future__ import annotations

import signal

from goprobe.arch.elsewhere import CallByHand, CodeCopy, Jump, NotDisplaceableError
from goprobe.arch.patches import BREAKPOINT_SIZE
from goprobe.arch.registers import GOROUTINE_WORD, PC, PC_WORD, RESULT_WORDS, SP_WORD, WORDS
from goprobe.arch.stub import CLAIM_WORD, RECORD_SIZE, RECORD_WORD, RECORDED_WORDS, StubPhase
from goprobe.process.tracer.calls import InspectedCalls
from goprobe.process.tracer.cave import Cave
from goprobe.process.tracer.events import CallHit, ProbeHit
from goprobe.process.tracer.listeners import Listeners
from goprobe.process.tracer.points import Point
from goprobe.process.tracer.threadregs import Machine
from goprobe.process.tracer.tracees import Tracees

_STACK_HI = 8  # of runtime.g, see arch/amd64/stub.py
_MOST_STRAYS = 50


class Traps:
    """The breakpoints of one run. `stops`: how often a thread was held for us; `moved`: how often
    one had to be moved out of our code; `ran` are the ids of probes that were only to tell that."""

    def __init__(
        self,
        cave: Cave,
        machine: Machine,
        tracees: Tracees,
        listeners: Listeners,
        *,
        check_every: int,
        hold_all: bool,
    ) -> None:
        self._cave, self._machine, self._tracees = cave, machine, tracees
        self._listeners = listeners
        self._inspected = InspectedCalls(cave)
        self._check_every, self._stop_all = check_every, hold_all
        self._replays: set[tuple[int, int, int]] = set()
        self.ran: set[int] = set()
        self._look = 0
        self.stops = self.moved = 0

    def remaining(self) -> tuple[CallHit, ...]:
        """The calls that never returned."""
        return tuple(self._inspected.remaining())

    # Breakpoints

    def trapped(self, tid: int) -> None:
        """A thread has run into an breakpoint; one that is not ours is its own affair."""
        if not self._machine.fetch(tid):
            return
        # The processor reports a breakpoint with the pc behind it.
        at = self._machine.words[PC_WORD] - BREAKPOINT_SIZE
        point = self._cave.points.get(at)
        if point is not None:
            if tid in self._tracees.own:
                self._inspect(tid, point)
            self._pass(tid, point)
        elif self._cave.layout.in_stub(at):
            self._trapped_in_stub(tid, at)
        elif held := self._cave.later.trapped(at) if self._cave.later.holds(at) else None:
            self.stops += 1
            number, on = held
            self.read_notes(None if number < 0 else number)
            self._go_to(tid, on)
        else:
            self._tracees.go_on(tid, signal.SIGTRAP)

    def _trapped_in_stub(self, tid: int, at: int) -> None:
        layout = self._cave.layout
        number = layout.site_of(at)
        if at != layout.enter(number) + layout.stub.trap:
            self._check(tid, number)
            return
        self.stops += 1
        point = self._cave.returns[number]
        if point.returning:
            point.strays = 0
            self._cave.insert(point)
            self._go_to(tid, layout.enter(number) + layout.stub.record)
        else:
            self._go_to(tid, layout.enter(number) + layout.stub.count)

    def _inspect(self, tid: int, point: Point) -> None:
        self.stops += 1
        others = self._tracees.stop_others(tid) if self._stop_all else []
        if point.probe_left and self._cave.probes[point.probe].only_whether:
            point.probe_left = 0
            self.ran.add(self._cave.probes[point.probe].probe_id)
        elif point.probe_left and not self._is_replay(point):
            self._probe(tid, point)
        wanted = point.probe_left > 0
        if point.returning:
            self._returned(tid, point)
            wanted |= point.returning and (
                not point.on_demand or self._inspected.running(point.site)
            )
        if not wanted:
            self._cave.extract(point)
        self._tracees.release(others)

    def _is_replay(self, point: Point) -> bool:
        """Whether this stop was looked at before, and then put off by a signal."""
        key = (point.address, self._machine.words[GOROUTINE_WORD], self._machine.words[SP_WORD])
        seen = key in self._replays
        self._replays.discard(key)
        return seen

    def _probe(self, tid: int, point: Point) -> None:
        point.probe_left -= 1
        values = {name: self._machine.words[index] for name, index in WORDS.items()}
        values[PC] = point.address
        index = self._cave.wanted(point.probe) - point.probe_left - 1
        hit = ProbeHit(self._cave.probes[point.probe], index, tid, values)
        self._listeners.probe(hit, self._machine.memory)

    def _returned(self, tid: int, point: Point) -> None:
        words = self._machine.words
        g, sp = words[GOROUTINE_WORD], words[SP_WORD]
        high = self._machine.word(g + _STACK_HI)
        # Results come in registers: ABIInternal, since Go 1.17 (cmd/compile/abi-internal.md).
        results = tuple([words[register] for register in RESULT_WORDS])
        hit = self._inspected.returned(point.site, g, results, sp, high, tid)
        if hit is None:
            self._stray(point)
        elif self._enough(hit, point.site):
            point.returning = False
            self._cave.only_count(point.site)

    def _enough(self, hit: CallHit, number: int) -> bool:
        """Tell of a call that has returned: whether no more of its site are wanted."""
        if self._listeners.hit(hit, self._machine.memory):
            self._inspected.settle(number)
        return self._inspected.finished(number)

    def read_notes(self, number: int | None = None) -> None:
        """Look at the returns that the program has noted, of one site or of all."""
        later = self._cave.later
        self._look += 1
        for each in later.pending() if number is None else (number,):
            if self._read_notes_of(each):
                later.close(each)

    def _read_notes_of(self, number: int) -> bool:
        """Whether no more are to be noted."""
        later, point = self._cave.later, self._cave.returns[number]
        for noted in later.fresh(number):
            begun = noted.begun // RECORD_SIZE - 1
            hit = self._inspected.returned(
                number, noted.g, noted.results, noted.sp, noted.stack_hi, 0, begun, self._look
            )
            if hit is not None and self._enough(hit, number):
                point.returning = False
                self._cave.only_count(number)
                return True
        if later.exhausted(number):  # others come to that address, too: breakpoints tell of more
            self._cave.insert(point)
            return True
        return False

    def _stray(self, point: Point) -> None:
        """Somebody came to a return address who does not return there: it is a branch target."""
        point.strays += 1
        if point.on_demand and point.strays > _MOST_STRAYS:
            self._inspected.give_up(point.site)
        elif point.strays > _MOST_STRAYS:
            point.on_demand, point.strays = True, 0
            self._cave.trap_calls(point.site)

    def _pass(self, tid: int, point: Point) -> None:
        """Let a thread run on past a breakpoint that has stopped it."""
        target = point.address
        # One that stays is never taken out for a step: other threads would run past it meanwhile.
        # So this thread runs a copy of the instruction elsewhere.
        if point.inserted:
            try:
                action = self._cave.action(point)
            except NotDisplaceableError:
                self._cave.give_up(point)
            else:
                if isinstance(action, CodeCopy):
                    target = action.slot
                elif isinstance(action, Jump):
                    target = action.target
                else:
                    self._call_by_hand(tid, action)
                    return
        self._go_to(tid, target)

    def _call_by_hand(self, tid: int, action: CallByHand) -> None:
        words = self._machine.words
        self._machine.put_word(*action.made(words, self._machine.word))
        self._machine.store(tid)
        self._tracees.go_on(tid)

    def _check(self, tid: int, number: int) -> None:
        """The countdown to the next sweep is used up; the call goes on afterwards."""
        if self._cave.countdown <= 0:
            self.stops += 1
            others = self._tracees.stop_others(tid)
            self._listeners.check(self._machine.memory)
            self._cave.countdown = self._check_every
            self._tracees.release(others)
        self._go_to(tid, self._cave.callees[number])

    # Out of the caves

    def leave_cave(self, tid: int) -> None:
        """A thread is about to take a signal: if it is in a cave, move it where the program
        could be without us."""
        # Go's handlers look up the pc that they interrupt (runtime/signal_unix.go, doSigPreempt;
        # proc.go, sigprof; signal_amd64.go, preparePanic; Go 1.21 to 1.27): ours is in no module.
        if not self._machine.fetch(tid):
            return
        words, layout = self._machine.words, self._cave.layout
        pc = words[PC_WORD]
        if layout.in_stub(pc):
            self._leave_stub(layout.site_of(pc), layout.place(pc))
        elif layout.in_slot(pc):
            if self._cave.leave_slot(words, self._machine.word):
                self._remember(words[PC_WORD])
        elif self._cave.later.holds(pc):
            self._cave.later.leave(words, self._machine.word)
        elif self._cave.ledger.holds(pc):
            self._cave.ledger.finish(words, self._machine.word)
        else:
            return
        self.moved += 1
        self._machine.store(tid)

    def _remember(self, address: int) -> None:
        """A probe here has been seen: it will stop again, perhaps on another thread."""
        point = self._cave.points.get(address)
        if point is not None and point.probe_left:
            words = self._machine.words
            self._replays.add((address, words[GOROUTINE_WORD], words[SP_WORD]))

    def _leave_stub(self, number: int, place: StubPhase) -> None:
        words, cave = self._machine.words, self._cave
        claim = words[CLAIM_WORD]
        if place is StubPhase.STORED:
            claim = cave.claim_at(words[RECORD_WORD])
        if place is StubPhase.NOTHING:
            # Nothing is written down yet: the call is undone, its return address off the stack,
            # and will be made once more.
            words[PC_WORD] = cave.sites[number].pc + cave.bias
            words[SP_WORD] += 8
            self._remember(words[PC_WORD])
            return
        if place is not StubPhase.COUNTED:
            values = [words[register] for register in RECORDED_WORDS]
            values.append(self._machine.word(words[GOROUTINE_WORD] + _STACK_HI))
            cave.complete_record(number, claim, values)
            # The counter is the program's own word: adding to it from here could lose a count.
            cave.add_uncounted(number)
        if cave.callees[number] != cave.targets[number]:
            cave.ledger.count(words, self._machine.word)
        words[PC_WORD] = cave.targets[number]

    def _go_to(self, tid: int, pc: int) -> None:
        self._machine.set_pc(tid, pc)
        self._tracees.go_on(tid)
