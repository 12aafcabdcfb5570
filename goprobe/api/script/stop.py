"""A stop of a scripted program: what a script may ask while the program stands there."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import UNSET

from goprobe.api.script.driver import Driver
from goprobe.errors import UsageError
from goprobe.model import trace
from goprobe.model.address import Address
from goprobe.model.attached import GoroutineState
from goprobe.model.heap import HeapReport
from goprobe.model.location import Location
from goprobe.model.script import Moment
from goprobe.model.value import Data, Element, Variable

Watchable = Variable | Element | Data


class Moved(msgspec.Struct, frozen=True):
    """A variable that lies elsewhere than at the earlier stop, its stack having moved or not."""

    name: str
    function: str
    before: Address
    after: Address
    stack_moved: bool


class Changed(msgspec.Struct, frozen=True):
    """A variable whose value, or the place of whose data, is another than before."""

    name: str
    function: str
    before: str
    after: str


class Diff(msgspec.Struct, frozen=True):
    """What is different from an earlier stop. `objects` and `bytes` are the heap's growth; None
    unless both stops were asked for their heap."""

    moved: tuple[Moved, ...]
    changed: tuple[Changed, ...]
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]
    objects: int | None = None
    bytes: int | None = None


class Watch:
    """A watch on some bytes; `cancel` frees its hardware watchpoints."""

    def __init__(self, driver: Driver, numbers: tuple[int, ...], address: int, size: int) -> None:
        self._driver = driver
        self.numbers = numbers
        self.address = Address(address)
        self.size = size

    def cancel(self) -> None:
        for number in self.numbers:
            self._driver.unwatch(number)
        self.numbers = ()


def _number(address: int) -> int:
    try:
        return int(address)
    except (TypeError, ValueError):
        raise UsageError(f"{address!r} is no address: addresses are integers here") from None


class Stop:
    """The program at one stop. When it goes on, the stop is over: asking it is an error.

    `stop["msg"]` is the variable of that name, the innermost frame's first.
    """

    def __init__(
        self, driver: Driver, moment: Moment, step: Callable[[str, int], Stop | None]
    ) -> None:
        assert moment.stop is not UNSET
        self._driver = driver
        self._report = moment.stop
        self._moment = moment
        self._step = step
        self._over = False
        self._census: HeapReport | None = None
        self._variables: tuple[Variable, ...] | None = None
        self._named: dict[str, tuple[Variable, ...]] = {}

    def end(self, *, shown: bool) -> None:
        """The program goes on. What was `shown` to the script keeps its variables for `diff`."""
        if shown and not self._over:
            _ = self.variables
        self._over = True

    def go_on(self) -> None:
        """The program has not gone on after all."""
        self._over = False

    @property
    def report(self) -> trace.StopReport:
        """The stop as `goprobe trace` reports it."""
        if self._over:
            raise UsageError(
                f"the stop at {self._report.function} is over: the program has gone on since"
            )
        return self._report

    @property
    def where(self) -> str:
        """The WHERE that was hit, "" for a step, a signal or a watch."""
        return self._moment.where if self.report else ""

    @property
    def watched(self) -> int:
        """The number of the watch that was hit, 0 for none."""
        return self._moment.watch if self.report else 0

    @property
    def cut(self) -> str:
        """The step ("next", "finish", …) that something else stopped before its end, else ""."""
        return self._moment.cut if self.report else ""

    @property
    def reason(self) -> str:
        return self.report.reason

    @property
    def function(self) -> str:
        return self.report.function

    @property
    def file(self) -> str:
        return self.report.file

    @property
    def line(self) -> int:
        return self.report.line

    @property
    def goroutine(self) -> int:
        """The goroutine's id; 0 where the thread runs none."""
        return self.report.goroutine

    @property
    def thread(self) -> int:
        return self.report.thread

    @property
    def pc(self) -> Address:
        return self.report.pc

    @property
    def sp(self) -> Address:
        return self.report.sp

    @property
    def frames(self) -> tuple[trace.Frame, ...]:
        return self.report.frames

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every variable in scope of every frame of the user's own code."""
        _ = self.report
        if self._variables is None:
            self._variables = self._driver.variables("")
        return self._variables

    def __getitem__(self, name: str) -> Variable:
        variable = self.get(name)
        if variable is None:
            close = difflib.get_close_matches(name, {v.name for v in self.variables}, n=3)
            hint = f"nearest: {', '.join(close)}" if close else ""
            raise UsageError(f"no variable {name} in scope at {self.function}", hint=hint)
        return variable

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.variables)

    def get(self, name: str) -> Variable | None:
        """The innermost variable of a name: within a frame an inner block's comes first."""
        _ = self.report
        if self._variables is not None:
            named = tuple(v for v in self._variables if v.name == name)
        else:
            if name not in self._named:
                self._named[name] = self._driver.variables(name)
            named = tuple(v for v in self._named[name] if v.name == name)
        return min(named, key=lambda v: v.frame, default=None)

    # Questions

    def locate(self, address: int) -> Location:
        """The most specific identity of an address."""
        return self.where_is(address)[0]

    def where_is(self, address: int) -> tuple[Location, ...]:
        """Every identity of an address, most specific first."""
        _ = self.report
        return self._driver.locate(_number(address))

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the program's memory. Raises UsageError where they cannot be read."""
        _ = self.report
        return self._driver.read(_number(address), size)

    def goroutines(self) -> tuple[GoroutineState, ...]:
        """Every goroutine that is not dead, with its frames."""
        _ = self.report
        return self._driver.goroutines()

    def heap(self) -> HeapReport:
        """The census of the heap."""
        _ = self.report
        if self._census is None:
            self._census = self._driver.heap()
        return self._census

    # Going on

    def step(self) -> Stop | None:
        """To the next line that runs, into calls; None where the program ended."""
        _ = self.report
        return self._step("step", 0)

    def next(self) -> Stop | None:
        """To the next line of this function, over calls."""
        _ = self.report
        return self._step("next", 0)

    def finish(self) -> Stop | None:
        """Until this function has returned."""
        _ = self.report
        return self._step("finish", 0)

    def until(self, line: int) -> Stop | None:
        """To a line of this file, in this goroutine."""
        _ = self.report
        return self._step("until", line)

    def step_instruction(self) -> Stop | None:
        """One machine instruction."""
        _ = self.report
        return self._step("instruction", 0)

    def watch(self, thing: Watchable | int, size: int = 0) -> Watch:
        """Stop after a write that changes these bytes: a variable's, an element's, what a header
        points at, or `size` bytes at an address. The processor watches at most 4 x 8 bytes."""
        _ = self.report
        address, length = _extent(thing, size)
        return Watch(self._driver, self._driver.watch(address, length), address, length)

    # Comparing

    def diff(self, earlier: Stop) -> Diff:
        """What is different here from an earlier stop, which may be over."""
        now = _by_place(self.report, self.variables)
        then = _by_place(earlier._report, earlier._variables or ())
        both = [(k, then[k], now[k]) for k in now if k in then]
        objects = size = None
        if self._census and earlier._census:
            objects = self._census.census.objects - earlier._census.census.objects
            size = self._census.census.bytes - earlier._census.census.bytes
        return Diff(
            moved=tuple(m for k, a, b in both if (m := _moved(k, a, b))),
            changed=tuple(c for k, a, b in both if (c := _changed(k, a, b))),
            appeared=tuple(k[1] for k in now if k not in then),
            vanished=tuple(k[1] for k in then if k not in now),
            objects=objects,
            bytes=size,
        )


_Place = tuple[str, str, int]


def _by_place(stop: trace.StopReport, variables: Iterable[Variable]) -> dict[_Place, Variable]:
    """Variables by function, name and the number of that function's frame from the outside."""
    by_place: dict[_Place, Variable] = {}
    for v in variables:
        frames = stop.frames[v.frame :]
        depth = sum(1 for f in frames if f.function == v.function)
        by_place.setdefault((v.function, v.name, depth), v)
    return by_place


def _moved(key: _Place, a: Variable, b: Variable) -> Moved | None:
    if a.address is UNSET or b.address is UNSET or a.address == b.address:
        return None
    same_distance = False
    if a.location is not UNSET and b.location is not UNSET:
        first, second = a.location.detail, b.location.detail
        same_distance = (
            "from_high" in first
            and first.get("from_high") == second.get("from_high")
            and first.get("high") != second.get("high")
        )
    return Moved(key[1], key[0], a.address, b.address, same_distance)


def _changed(key: _Place, a: Variable, b: Variable) -> Changed | None:
    before, after = _told(a), _told(b)
    return None if before == after else Changed(key[1], key[0], before, after)


def _told(v: Variable) -> str:
    return v.value.text if v.value is not UNSET else v.state.value


def _extent(thing: Watchable | int, size: int) -> tuple[int, int]:
    if isinstance(thing, int):
        if size <= 0:
            raise UsageError("say how many bytes to watch: watch(address, size)")
        return int(thing), size
    if thing.address is UNSET:
        raise UsageError(f"cannot watch {getattr(thing, 'name', 'it')}: it lies in no memory")
    known = size
    if not known and not isinstance(thing, Element):
        known = thing.size if thing.size is not UNSET else 0
    return int(thing.address), known or 8
