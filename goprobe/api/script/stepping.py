"""Stepping by source lines: into calls, over them, out of a function, to a line.

A step runs at full speed to where it may end: breakpoints stand at every place in the function
where control may come to another line, at the return addresses of all frames further out, and
where a recovered panic goes on in them. GDB itself passes those over that other
goroutines hit: R14 is g in all Go code (cmd/compile/abi-internal.md, Go 1.21 to 1.27). Bodies of
loops over functions are functions of their own, but lines of the one that they stand in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import takewhile

from msgspec.structs import replace

from goprobe.analysis.trace.goscopes import root_of
from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.api.script.sourcelines import DEFERRING, Chain, SourceLines
from goprobe.api.script.stepframes import Steps, Went, of_runtime, physical, to_cfa
from goprobe.arch.displaced import followers
from goprobe.arch.registers import GOROUTINE, PC, SP
from goprobe.binary.pcln.format import Function
from goprobe.errors import UnreadableError, UsageError
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.memory.memory import u64

_LIMIT = 1 << 13  # breakpoints of one step
_STACK_HIGH = 8  # the offset of g.stack.hi
_THROUGH = 256  # instructions of a wrapper
_NESTED = 16  # calls within calls that the source does not have
_NEXT_DEFERRED = 1 << 10  # bytes of the runtime's stack by which another one may lie deeper

_Into = Generator[Went, None, tuple[Went, StopView | None]]
_Places = dict[int, int]
"""Addresses, and how far below the stack's high end the stack pointer may be there; 0: any."""


class Stepper:
    """One step of one goroutine from where `view` stands. Other goroutines run meanwhile.

    A breakpoint or watch that is reached on the way cuts the step. `judge` says how an event is
    to be taken: one that is none for the script comes back as a step.
    """

    def __init__(
        self,
        session: Session,
        lines: SourceLines,
        view: StopView,
        judge: Callable[[StopEvent, StopView], tuple[StopEvent, StopView]],
    ) -> None:
        self._session = session
        self._lines = lines
        self._judge = judge
        self._view = view
        if view.goroutine is None or not view.frames:
            raise UsageError("only a goroutine in Go code can be stepped")
        self._goroutine = view.goroutine
        self._frames = physical(view, lines)
        self._chain = lines.chain(view.registers[PC])
        self._level = len(self._chain) - 1
        self._base = 0

    def go(self, how: str, line: int) -> Steps:
        """Raises UsageError where there is nothing to step to, before the program has run."""
        match how:
            case "step" | "next":
                return (yield from self._to_another_line(into=how == "step"))
            case "instruction":
                own = self._lines.function_at(self._view.registers[PC])
                # What changes stacks has another goroutine in the register that tells them apart.
                if own is None or of_runtime(own):
                    return self._instruction(self._view.tid)
                return (yield from self._followed(self._view))
            case "finish":
                return (yield from self._finish())
            case "until":
                return (yield from self._until(line))
        raise UsageError(f"{how!r} is no way to step")

    def _instruction(self, thread: int) -> Went:
        event = self._session.step_instruction(thread)
        if event.over:
            return Went(event, None)
        view = self._session.view(event.thread)
        told, view = self._judge(event, view)
        return Went(told, view, cut=told.kind != "step")

    def _to_another_line(self, *, into: bool) -> Steps:
        if not self._chain:
            plugin = self._view.world.is_in_plugin(self._view.registers[PC])
            why = "is a plugin's, and is not stepped" if plugin else "has no lines of source"
            raise UsageError(f"the code here {why}: finish() leaves it")
        self._find_base()
        functions = list(self._lines.group(root_of(self._chain[self._level][0])))
        base = self._frames[self._base]
        if base.function and base.function.entry not in {f.entry for f in functions}:
            functions.append(base.function)
        places: _Places = {}
        for function in functions:
            places |= self._other_lines(function, into=into)
        calls: _Places = {}
        for function in functions if into else ():
            calls |= {at: self._reach(function, at) for at in self._calls(function)}
        deferred = self._next_deferred() if into else {}
        here = self._view
        while True:
            pc = here.registers[PC]
            if pc in calls and self._is_base(here):
                went, view = yield from self._into(here)
                if view is None:
                    return went
                here = view
                if here.registers[PC] in places and self._is_base(here):
                    return went
                if here.registers[PC] in calls:
                    continue
            ends = {**places, **calls, **deferred, **self._outside()}
            went = yield from self._run_to(ends)
            view = went.view
            while view and view.registers[PC] in deferred:
                if not self._still_runs(view):
                    went, view = yield from self._into(view, 1)
                    if view is None:
                        return went
                went = yield from self._run_to(ends)
                view = went.view
            if view is None or self._is_outer(view):
                return went
            here = view
            if self._is_base(here) and here.registers[PC] not in calls:
                return went

    def _reach(self, function: Function, address: int) -> int:
        """How deep the stack pointer is at an address of the frame's function."""
        base = self._frames[self._base]
        if base.function is None or function.entry != base.function.entry:
            return 0
        return base.distance + to_cfa(function, address)

    def _finish(self) -> Steps:
        """Run until the function has returned to its caller, an inlined one to the code behind
        it."""
        own = self._frames[0].function
        places: _Places = {}
        if self._level and own:
            before, name = self._chain[: self._level], self._chain[self._level][0]
            places = {
                landing.address: self._reach(own, landing.address)
                for landing in self._lines.landings(own)
                if landing.chain[: self._level] != before
                or len(landing.chain) <= self._level
                or landing.chain[self._level][0] != name
            }
        elif len(self._frames) < 2:
            raise UsageError("this frame has no caller to return to")
        went = yield from self._run_to({**places, **self._outside(own=False)})
        out_of = own or self._view.world.code.function_at(self._view.registers[PC])  # a plugin's
        if self._level > 0 or went.view is None:
            return went
        at = went.view.registers
        behind = at[PC] == self._frames[1].pc and self._depth(went.view) == self._frames[1].depth
        return replace(went, returned=out_of) if behind else went

    def _depth(self, view: StopView) -> int:
        return view.goroutine.high - view.registers[SP] if view.goroutine else 0

    def _until(self, line: int) -> Steps:
        if line <= 0:
            raise UsageError(f"{line} is no line")
        locations = self._session.resolve((f"{self._view.frames[0].file}:{line}",))
        bias = self._session.bias
        return (yield from self._run_to({place.address + bias: 0 for place in locations}))

    # Which places end a step

    def _find_base(self) -> None:
        """The frame whose lines are stepped: of a loop's body that of the function around it."""
        name = self._chain[self._level][0]
        root = root_of(name)
        if root == name:
            return
        inlined = [i for i, (f, _) in enumerate(self._chain) if f == root]
        if inlined:
            self._level = inlined[-1]
            return
        for index, frame in enumerate(self._frames):
            chain = self._lines.chain(frame.pc - (index > 0))
            inlined = [i for i, (f, _) in enumerate(chain) if f == root]
            if inlined:
                self._base, self._level = index, inlined[-1]
                self._chain = (*chain[: self._level + 1], self._chain[-1])
                return

    def _is_other(self, chain: Chain, *, inlined: bool) -> bool:
        """Whether coming to a place with this chain ends the step. `inlined`: so do calls that
        were inlined into the line."""
        own = self._chain[: self._level + 1]
        inner, root = self._chain[-1], root_of(self._chain[self._level][0])
        body = "-range" in inner[0] or "-range" in chain[-1][0]
        if body and root_of(chain[-1][0]) == root:
            return chain[-1][1] != inner[1]
        at = next((i for i, (a, b) in enumerate(zip(own, chain, strict=False)) if a != b), None)
        if at is None:
            return len(chain) < len(own) or (inlined and len(chain) > len(self._chain))
        return inlined or len(chain) == at + 1

    def _other_lines(self, function: Function, *, into: bool) -> _Places:
        """Where a function's code comes to another line, not before its prologue's end."""
        body = self._lines.body(function)
        starts = {
            max(landing.address, body)
            for landing in self._lines.landings(function)
            if self._is_other(landing.chain, inlined=into)
        }
        return {at: self._reach(function, at) for at in starts}

    def _calls(self, function: Function) -> Iterator[int]:
        """The calls that the line makes."""
        for transfer in self._lines.transfers(function):
            if transfer.call:
                chain = self._lines.chain(transfer.at)
                if chain and not self._is_other(chain, inlined=True):
                    yield transfer.at

    def _outside(self, *, own: bool = True) -> _Places:
        """Where control comes to when it leaves the frame: by a return or a recovered panic, that
        of its `own` function too."""
        returns: _Places = {}
        outer = self._frames[self._base + 1 :]
        # What called a deferred function goes on to the user's code, and is of no interest.
        passes = own and not all(of_runtime(frame.function) for frame in outer)
        for index, frame in enumerate(self._frames[self._base :]):
            function = frame.function
            if index and not (passes and of_runtime(function)):
                returns.setdefault(frame.pc, frame.depth)
            for at in self._lines.recoveries(function) if function else ():
                if index or (own and self._is_other(self._lines.chain(at), inlined=False)):
                    assert function is not None
                    returns.setdefault(at, frame.distance + to_cfa(function, at))
        return returns

    def _next_deferred(self) -> _Places:
        """Where the runtime calls the next deferred function, if this frame is of one."""
        runtimes = list(takewhile(lambda f: of_runtime(f.function), self._frames[self._base + 1 :]))
        if not any(f.function and f.function.name in DEFERRING for f in runtimes):
            return {}
        depth = max(frame.depth for frame in runtimes) + _NEXT_DEFERRED
        return dict.fromkeys(self._lines.deferring, depth)

    def _still_runs(self, view: StopView) -> bool:
        distance = self._frames[self._base].distance
        return any(frame.distance == distance for frame in physical(view, self._lines))

    def _is_outer(self, view: StopView) -> bool:
        distance = physical(view, self._lines)[0].distance
        return distance in {f.distance for f in self._frames[self._base + 1 :]}

    def _is_base(self, view: StopView) -> bool:
        """Whether a view stands in the frame, or in a body of its loops over functions."""
        frames = physical(view, self._lines)
        base = self._frames[self._base]
        if frames[0].distance == base.distance:
            return True
        name = frames[0].function.name if frames[0].function else ""
        root = root_of(name)
        if root == name:
            return False
        for frame in frames[1:]:
            if any(f == root for f, _ in self._lines.chain(frame.pc - 1)):
                return frame.distance == base.distance
        return False

    # Into a call

    def _followed(self, view: StopView) -> Steps:
        """One instruction of the goroutine. A thread that is made to step one may be asked to give
        way at that very place: another goroutine then runs on it, and GDB waits for ever."""
        pc, memory = view.registers[PC], view.world.memory
        code = self._lines.instruction(pc)
        try:
            places = followers(code, pc, view.registers, lambda at: u64(memory, at))
        except UnreadableError:
            places = frozenset()
        if not places:
            return self._instruction(view.tid)
        return (yield from self._run_to(dict.fromkeys(places, 0)))

    def _through_wrapper(self, view: StopView, function: Function) -> Steps:
        """On to where the wrapper goes elsewhere, or what was inlined into it begins."""
        pc = view.registers[PC]
        ways = {t.at for t in self._lines.transfers(function)}
        if pc in ways:
            return (yield from self._followed(view))
        frames = physical(view, self._lines)
        back = {frames[1].pc: frames[1].depth} if len(frames) > 1 else {}
        within = {landing.address for landing in self._lines.landings(function)} - {pc}
        places = {**dict.fromkeys(ways | within, 0), **back, **self._outside()}
        return (yield from self._run_to(places))

    def _into(self, view: StopView, nested: int = 0) -> _Into:
        """Into the call that a view stands at. The view is None where the step ends here; else the
        call is none that a step goes into, and it tells where the goroutine stands by now."""
        went = yield from self._followed(view)
        for _ in range(_THROUGH):
            if went.view is None or went.cut:
                return went, None
            view, pc = went.view, went.view.registers[PC]
            function = self._lines.function_at(pc)
            if function is None or nested > _NESTED or not self._mine(view):
                return went, view
            # runtime.deferreturn has a wrapper's mark, too (cmd/internal/objabi/funcid.go, all).
            if of_runtime(function) or not self._lines.is_wrapper(pc):
                break
            body = self._lines.body(function)
            if pc == function.entry and body != pc:  # its stack check may lead to the scheduler
                went = yield from self._run_to({body: 0, **self._outside()})
            else:
                went = yield from self._through_wrapper(view, function)
        else:
            return went, view
        if of_runtime(function):
            return (yield from self._through_runtime(went, view, function, nested))
        body = self._lines.body(function)
        if body <= view.registers[PC]:  # behind it is what was inlined into a wrapper
            return went, None
        return (yield from self._run_to({body: 0, **self._outside()})), None

    def _through_runtime(
        self, went: Went, view: StopView, function: Function, nested: int
    ) -> _Into:
        """The runtime calls functions of the user's: deferred ones, say."""
        frames = physical(view, self._lines)
        calls = {t.at: 0 for t in self._lines.transfers(function) if t.call and not t.target}
        if function.name in DEFERRING:
            calls |= dict.fromkeys(self._lines.deferring, 0)
        if len(frames) < 2 or not calls:
            return went, view
        back = {frames[1].pc: frames[1].depth}
        while True:
            went = yield from self._run_to({**back, **calls, **self._outside()})
            here = went.view
            if here is None or here.registers[PC] not in calls:
                return went, None if here is None or self._is_outer(here) else here
            went, here = yield from self._into(here, nested + 1)
            if here is None:
                return went, None

    # Running

    def _mine(self, view: StopView) -> bool:
        return view.goroutine is not None and view.goroutine.id == self._goroutine.id

    def _run_to(self, places: _Places) -> Steps:
        """Run this goroutine to one of some places, past whatever cuts the step."""
        if len(places) > _LIMIT:
            raise UsageError(f"the function is too large to be stepped: {len(places)} places")
        conditions = {at: self._condition(depth) for at, depth in sorted(places.items())}
        while True:
            went = self._run_once(places, conditions)
            if not went.cut:
                return went
            yield went

    def _run_once(self, places: _Places, conditions: dict[int, str]) -> Went:
        with self._session.temporary(conditions) as numbers:
            while True:
                event = self._session.proceed()
                if event.over:
                    return Went(event, None)
                if self._session.enters_again(event):
                    continue
                view = self._session.view(event.thread)
                told, view = self._judge(event, view)
                ours = told.breakpoint in numbers and bool(view.frames)
                if ours and not self._mine(view):
                    continue  # GDB could not look at its condition
                if told.kind != "step" and not ours:
                    there = told.kind == "breakpoint" and self._is_at(view, places)
                    if not there:
                        return Went(told, view, cut=True)
                if ours or told.kind == "breakpoint":
                    return Went(told, view)

    def _condition(self, depth: int) -> str:
        """In GDB's C: of this goroutine alone, and of no deeper call; g begins with its stack's
        bounds (runtime2.go)."""
        mine = f"${GOROUTINE} == {self._goroutine.address:#x}"
        deep = f"*(long *) (${GOROUTINE} + {_STACK_HIGH}) - (long) ${SP} <= {depth}"
        return f"{mine} && {deep}" if depth else mine

    def _is_at(self, view: StopView, places: _Places) -> bool:
        """Whether a breakpoint of the script's stands at a place of the step, which is reached."""
        depth = places.get(view.registers[PC])
        if depth is None or not self._mine(view) or not view.frames:
            return False
        return not depth or self._depth(view) <= depth
