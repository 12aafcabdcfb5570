"""A stop as the report tells it: goroutine, frames, and every variable with its whereabouts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from goprobe.analysis.locate.locator import Locator
from goprobe.analysis.ownership import is_own_code
from goprobe.analysis.trace.callargs import passed_on
from goprobe.analysis.trace.goscopes import gives_meaning, may_mean, root_of
from goprobe.analysis.trace.gosyntax import Literal, functions_of
from goprobe.analysis.trace.trust import Trust
from goprobe.arch.registers import PC, SP
from goprobe.errors import NotGoError, UnreadableError
from goprobe.model.address import Address
from goprobe.model.location import Kind, Location
from goprobe.model.trace import Bounds, Frame, StopReport
from goprobe.model.value import State, Variable
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.stacks.alike import Alike
from goprobe.runtime.stacks.bindings import Binding
from goprobe.runtime.stacks.closures import captures_of
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.stacks.keeping import Cycle, Keeping
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.stacks.variables import FrameVariables
from goprobe.runtime.values.decoded import Capture, Limits
from goprobe.runtime.values.inuse import given_up
from goprobe.runtime.values.storage import LeftOutError
from goprobe.runtime.values.values import Decoder
from goprobe.runtime.world import World

FRAME_LIMIT = 256
_CUT = f"the innermost {FRAME_LIMIT} are told, and there are more"


class StopView:
    """One thread of one stop. `registers` are the machine's registers of thread `tid`; `doubt` is
    what is to be said of the place, "" where it is what was asked for. `cycle` knows of the
    stops before; `locator` is the world's, where there is one already."""

    def __init__(
        self,
        world: World,
        tid: int,
        registers: Mapping[str, int],
        limits: Limits | None = None,
        doubt: str = "",
        cycle: Cycle | None = None,
        locator: Locator | None = None,
    ) -> None:
        self.world = world
        self.tid = tid
        self.registers = registers
        self.locator = locator or Locator(world)
        self._limits = limits
        self._cycle = cycle or Cycle()
        self._lost: dict[str, None] = {}
        self._homes: dict[World, StopView] = {}
        self._doubts = (doubt,) if doubt else ()
        self._alike: Alike | None = None

    @cached_property
    def decoder(self) -> Decoder:
        world = self.world
        return Decoder(
            world.memory,
            world.types,
            world.typedata,
            self.locator.locate,
            self.world.function_name,
            self._captures,
            self._limits,
            self.goroutine.id if self.goroutine else 0,
        )

    @cached_property
    def keeping(self) -> Keeping | None:
        g, locate = self.goroutine, self.locator.locate
        return Keeping(self.world, g, locate, self.frames, self._cycle) if g else None

    def _captures(self, pc: int) -> tuple[Capture, ...]:
        return captures_of(self.world.program, pc - self.world.bias)

    @cached_property
    def _on(self) -> tuple[Goroutine | None, str]:
        try:
            return self.world.system_stacks.on(self.tid, self.registers[SP])
        except UnreadableError:
            return None, "os"

    @property
    def goroutine(self) -> Goroutine | None:
        """The goroutine that the thread runs; None on a system stack or in foreign code."""
        return self._on[0]

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """The stack that the thread stands on, [low, high); (0, 0) where it is not known."""
        if self.goroutine:
            return self.goroutine.low, self.goroutine.high
        detail = self.locator.locate(self.registers[SP]).detail
        low, high = detail.get("low", 0), detail.get("high", 0)
        return (low, high) if isinstance(low, int) and isinstance(high, int) else (0, 0)

    @cached_property
    def frames(self) -> tuple[FrameView, ...]:
        """Innermost first, at most FRAME_LIMIT."""
        return self._walked[:FRAME_LIMIT]

    @cached_property
    def _walked(self) -> tuple[FrameView, ...]:
        """They, and one more where there are more."""
        stacks, enough = Stacks(self.world), FRAME_LIMIT + 1
        try:
            walked = stacks.of_thread(self.tid, limit=enough)
            return tuple(islice(stacks.source(walked), enough))
        except (UnreadableError, NotGoError):
            return ()

    def own_frames(self) -> Iterator[tuple[int, FrameView]]:
        """The innermost frame and all of the user's own code, with their indexes."""
        for i, frame in enumerate(self.frames):
            if i == 0 or self.is_own(frame):
                yield i, frame

    def is_own(self, frame: FrameView) -> bool:
        """Whether it is of the program's own code."""
        return is_own_code(self.world.program, frame.function, frame.file)

    @property
    def lost(self) -> tuple[str, ...]:
        """Of which frames no variables could be told, and why."""
        return tuple(self._lost)

    def variables(self, names: Iterable[str] = ()) -> tuple[Variable, ...]:
        """Every variable in scope of the frames of interest; only those named, where any are."""
        if self.world.program.stripped:
            return ()
        wanted = frozenset(names)
        by_frame = {i: self._of_frame(i, f, wanted)[0] for i, f in self.own_frames()}
        return self._passed_too(by_frame, wanted)

    def named(self, name: str) -> tuple[Variable, ...]:
        """The variables of a name of the innermost frame that has any.

        A frame whose source gives the name a meaning is that frame: where its debug information
        lacks the variable, or a closure has not captured it, another function's is not meant. For
        the body of a loop over a function the frames of its function are asked.
        """
        if self.world.program.stripped:
            return ()
        wanted = frozenset((name,))
        by_frame: dict[int, list[Variable]] = {}
        around: frozenset[int] | None = None
        lacking: Variable | None = None
        for index, frame in self.own_frames():
            if around is not None and index not in around:
                continue
            by_frame[index], lines = self._of_frame(index, frame, wanted)
            if lines and self.may_mean(name, lines, frame):
                lacking = None
                break
            by_frame[index] = [v for v in by_frame[index] if v.name != name]
            lacking = lacking or self._lacking(name, index, frame)
            around = self._around(index, frame) if lacking and around is None else around
            if lacking and not around:
                break
        if lacking is not None:
            by_frame[lacking.frame].append(lacking)
        return self._passed_too(by_frame, wanted)

    def _of_frame(
        self, index: int, frame: FrameView, wanted: frozenset[str]
    ) -> tuple[list[Variable], frozenset[int]]:
        """Those wanted (all, where none is named), and parameters in any case, for what is asked
        for may be found through them; and the lines at which those wanted are declared, told or
        not."""
        home = self._home(frame)
        if home is not self:
            return home._of_frame(index, frame, wanted)
        why = self.world.unknown_at(frame.lookup)
        if why or self.world.program.stripped:
            why = why or "its code has no debug information"
            self._lost.setdefault(f"the variables of {frame.function} cannot be told: {why}")
            return [], frozenset()
        known = self.registers if frame.innermost else {}
        try:
            bindings = [
                b
                for b in self._finder.of(frame, known)
                if not wanted or b.name in wanted or b.local.parameter
            ]
            told = [self.variable(b, index, frame) for b in self._trusted(bindings, frame)]
        except (NotGoError, UnreadableError) as error:
            self._lost.setdefault(f"the variables of {frame.function} cannot be told: {error}")
            return [], frozenset()
        return told, frozenset(b.local.line for b in bindings if b.name in wanted)

    def _home(self, frame: FrameView) -> StopView:
        """The same stop as the plugin sees it whose code a frame runs; this one for all others."""
        world = self.world.seen_at(frame.lookup)
        if world is self.world:
            return self
        if world not in self._homes:
            self._homes[world] = self._seen_from(world)
        return self._homes[world]

    def _seen_from(self, world: World) -> StopView:
        """The same stop from the point of view of a plugin."""
        view = StopView(world, self.tid, self.registers, self._limits, "", self._cycle)
        view.locator = self.locator
        view._lost = self._lost
        return view

    @cached_property
    def _finder(self) -> FrameVariables:
        world, described = self.world, self.world.typedata.debug_type
        return FrameVariables(
            world.program, world.memory, world.bias, described, self.keeping, self._alike
        )

    @cached_property
    def _trust(self) -> Trust:
        resumed = self.goroutine.pc if self.goroutine else 0
        return Trust(self.world.program, self.world.bias, self.registers, resumed)

    def _passed_too(
        self, by_frame: dict[int, list[Variable]], wanted: frozenset[str]
    ) -> tuple[Variable, ...]:
        """With what only calls on the way show, by what they were passed."""
        for index, made in passed_on(self, by_frame):
            own = by_frame.setdefault(index, [])
            own[:] = [v for v in own if (v.name, v.function) != (made.name, made.function)]
            own.append(made)
        variables = (v for index in sorted(by_frame) for v in by_frame[index])
        return tuple(v for v in variables if not wanted or v.name in wanted)

    def _around(self, index: int, frame: FrameView) -> frozenset[int]:
        """Of the body of a loop over a function the frames of the function that the loop is in,
        and of bodies around; none where there may be another call of it."""
        root = root_of(frame.function)
        if root == frame.function:
            return frozenset()
        within = [i for i, f in enumerate(self.frames) if i > index and root_of(f.function) == root]
        names = [self.frames[i].function for i in within]
        return frozenset(within) if len(names) == len(set(names)) else frozenset()

    def may_mean(self, name: str, lines: Iterable[int], frame: FrameView) -> bool:
        """Whether a name at a frame's line may mean one of its variables declared at these
        lines."""
        return may_mean(self._functions(frame), name, frame.line, lines)

    def _functions(self, frame: FrameView) -> Sequence[Literal]:
        """Those of a frame's source; none where that is not at hand."""
        return functions_of(self.world.program.source(frame.file))

    def _lacking(self, name: str, index: int, frame: FrameView) -> Variable | None:
        """A variable that is none of those of a frame, and that its source gives a meaning there;
        of optimised code of the user's without a source any name may be one."""
        functions = self._functions(frame)
        if gives_meaning(functions, name, frame.line):
            why = "its source declares it, but nothing says where it is at this frame"
        elif not functions and self.is_own(frame) and self._home(frame)._trust.is_optimised(frame):
            why = "whether its function has one of that name only its source could show"
        else:
            return None
        return Variable(
            name=name,
            type="",
            frame=index,
            function=frame.function,
            state=State.OPTIMIZED_OUT,
            why=why,
        )

    def bindings(self, frame: FrameView) -> tuple[Binding, ...]:
        """The variables of a frame of the program's own, those without a value included."""
        if self.world.program.stripped or self._home(frame) is not self:
            return ()
        known = self.registers if frame.innermost else {}
        try:
            return tuple(self._trusted(tuple(self._finder.of(frame, known)), frame))
        except (NotGoError, UnreadableError):
            return ()

    def _trusted(self, bindings: Iterable[Binding], frame: FrameView) -> Iterator[Binding]:
        """Those in scope at the frame's line; without a value where another may be its own."""
        for binding, doubt in self._trust.judged(tuple(bindings), frame):
            if doubt is None:
                yield binding
            elif not doubt.hidden:
                yield replace(
                    binding, state=State.OPTIMIZED_OUT, why=doubt.why, place=None, register=""
                )

    def variable(self, binding: Binding, index: int, frame: FrameView) -> Variable:
        """A binding with its value, what it points at, and where all that lies."""
        local = binding.local
        address = binding.place.address if binding.place else None
        state, why = binding.state, binding.why
        location = UNSET if address is None else self.locator.locate(address)
        made = None
        if gone := self._given_up(binding, location):
            state, why = State.UNREADABLE, gone
        elif binding.place is not None:
            try:
                made = self.decoder.decode(binding.type, binding.place)
            except LeftOutError:
                state = State.OPTIMIZED_OUT
                why = binding.why
                if binding.spread:
                    why = f"the optimiser kept only a part of it: {binding.spread}"
            except UnreadableError as error:
                state, why = State.UNREADABLE, str(error)
            except (KeyError, NotGoError) as error:
                state, why = State.UNREADABLE, f"its type is not described: {error}"
        return Variable(
            name=binding.name,
            type=binding.type.name,
            frame=index,
            function=frame.function,
            state=state,
            why=why,
            size=binding.type.size,
            line=local.line or UNSET,
            parameter=local.parameter,
            moved=binding.moved and not _on_stack(location),
            address=UNSET if address is None else Address(address),
            location=location,
            register=binding.register or UNSET,
            partly=binding.partly and bool(binding.register),
            value=made.value if made else UNSET,
            data=made.data if made else UNSET,
            elements=made.elements if made else UNSET,
        )

    def _given_up(self, binding: Binding, location: Location | UnsetType) -> str:
        """Why nothing is told of a variable that the frame has only the address of: the frame may
        need it no more, and then it is not adjusted when the stack that it lies on moves."""
        if not binding.moved or location is UNSET:
            return ""
        why = given_up(location, self.goroutine.id if self.goroutine else 0)
        return f"the frame has an old address of it: {why}" if why else ""

    def stop(
        self,
        reason: str,
        names: Iterable[str] = (),
        warnings: tuple[str, ...] = (),
        *,
        variables: bool = True,
    ) -> StopReport:
        """The whole stop as the report has it, or without its variables."""
        frames = self.frames
        chosen = self.variables(names) if variables else ()
        top = frames[0] if frames else None
        low, high = self.bounds
        return StopReport(
            reason=reason,
            function=top.function if top else "?",
            file=top.file if top else "",
            line=top.line if top else 0,
            goroutine=self.goroutine.id if self.goroutine else 0,
            thread=self.tid,
            pc=Address(self.registers[PC]),
            sp=Address(self.registers[SP]),
            stack=Bounds(Address(low), Address(high)) if high else UNSET,
            frames=tuple(_frame(f) for f in frames),
            frames_end=_CUT if len(self._walked) > FRAME_LIMIT else UNSET,
            variables=chosen,
            warnings=(*warnings, *self._doubts, *self._lost, *self._changed()),
        )

    def _changed(self) -> Iterator[str]:
        for file in dict.fromkeys(frame.file for frame in self.frames):
            if file and not self.world.program.source(file):
                yield (
                    f"{file} was changed after the program was built: nothing is told that only "
                    "its source could show"
                )


def _on_stack(location: Location | UnsetType) -> bool:
    """So lies what a closure captured by reference and that never left its function's frame:
    it is described as a moved variable is."""
    return location is not UNSET and location.kind is Kind.GOROUTINE_STACK


def _frame(f: FrameView) -> Frame:
    return Frame(
        f.function, f.file, f.line, f.inlined, Address(f.pc), Address(f.sp), Address(f.cfa)
    )
