"""All goroutines of a process at once, a hundred thousand of them in a short stop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from goprobe.analysis.goroutines.traceback import Describer, Traceback, traceback_of
from goprobe.errors import UnreadableError
from goprobe.model.attached import GoroutineState
from goprobe.process.fork.plan import NoForkError
from goprobe.process.memory.copies import MISSING, Words
from goprobe.process.memory.memory import Buffer, Range, u64
from goprobe.process.proc.procfs import resident_bytes
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.goroutines.labels import read_labels
from goprobe.runtime.goroutines.table import (
    GoroutineCopy,
    GoroutineTable,
    Step,
    copy_again,
    copy_goroutines,
    label_sets,
    same_stacks,
    status_names,
    table_of,
)
from goprobe.runtime.image.code import Code
from goprobe.runtime.image.modules import Modules
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.stacks.unwind import is_hard
from goprobe.target.live import (
    AnyStopped,
    AnyTarget,
    StoppedChild,
    Target,
    forked_child,
    stopped_target,
)

_BYTES_EACH = 2400
_TROUBLE = 128 << 20  # bytes that could be copied in the time that any child costs
_CUT = "the stack goes on: only its innermost {:,} bytes were read"


@contextmanager
def still(
    target: AnyTarget, *, by_child: bool = True
) -> Iterator[tuple[AnyStopped, GoroutineCopy | None]]:
    """The target as it stands still, or a child of it that does, whichever is the shorter stop;
    and what was rehearsed before. Without `by_child` always the target.

    Raises what `hold` raises.
    """
    with ExitStack() as held_open:
        child: StoppedChild | None = None
        if by_child and not target.is_core and _worth_a_child(target):
            with suppress(NoForkError):
                child = held_open.enter_context(forked_child(target))
        if child is not None:
            yield child, None
        else:
            rehearsed = rehearse(target)
            yield held_open.enter_context(stopped_target(target)), rehearsed


def _worth_a_child(target: Target) -> bool:
    """Copying a goroutine's struct and stack takes ten times as long as the kernel takes to make a
    copy-on-write child of as many bytes (m: 0.25 and 0.025 ms a MiB), but the child is of all."""
    reader = target.reader()
    try:
        count = u64(reader, target.root("allgs") + 8)
    except UnreadableError:
        return False
    finally:
        reader.close()
    return 10 * count * _BYTES_EACH > resident_bytes(target.pid) + _TROUBLE


def rehearse(target: AnyTarget) -> GoroutineCopy | None:
    """A first copy, of the running process: it finds out where everything lies, and makes room.

    None where that is of no use or cannot be done.
    """
    if not target.is_core:
        with suppress(UnreadableError):
            return copy_goroutines(target.reader(), target.layout, target.root("allgs"))
    return None


def survey(
    stopped: AnyStopped,
    modules: Modules,
    now: int,
    rehearsed: GoroutineCopy | None,
    only: Words | None = None,
) -> tuple[tuple[GoroutineState, ...], int, int]:
    """Every goroutine that is not dead, the number of dead ones, and how many listed ones cannot be
    read; or those `only` whose gs are at some addresses. Releases the target.

    Inside the stop memory is copied, and those goroutines are walked that run; the parked ones'
    stacks are walked afterwards, one for all that are alike. Raises UnreadableError.
    """
    target = stopped.target
    allgs, layout = target.root("allgs"), target.layout
    if rehearsed:
        copy = copy_again(stopped.memory, layout, allgs, rehearsed)
    else:
        copy = copy_goroutines(stopped.memory, layout, allgs, only)
    world = stopped.world
    tids = {t.address: t.tid for t in world.goroutines.threads}
    live = Stacks(world, modules)
    labels = read_labels(world.memory, layout, label_sets(copy, layout))
    describer = Describer(live, tids, world.goroutines.wait_reasons, now, labels)
    walked: dict[int, tuple[int, Traceback]] = {}
    names = status_names(layout)
    running = table_of(copy, layout, np.flatnonzero(copy.stack_at == MISSING))
    for _, g in _decoded(running, np.flatnonzero(running.alive), names):
        walked[g.address] = (
            live.stack_pointer(g),
            traceback_of(live, g, describer.name_of(g.start)),
        )
    stopped.release()
    table = table_of(copy, layout, np.arange(len(copy.stack_at)))
    copied = _StackMemory(table)
    # Plugins' line tables are read as they are needed: files do not change as the target runs.
    code = Code(world.lines, modules, stopped.memory, world.program.looked_up)
    quiet = Stacks(target.process.world(copied, ()), modules, code)
    alive = np.flatnonzero(table.alive)
    dead = len(table) - len(alive)
    goroutines = _decoded(table, alive, names)
    return _told(table, goroutines, walked, describer, quiet, copied), dead, table.unreadable


def _told(
    table: GoroutineTable,
    goroutines: Iterable[tuple[int, Goroutine]],
    walked: dict[int, tuple[int, Traceback]],
    describer: Describer,
    stacks: Stacks,
    copied: _StackMemory,
) -> tuple[GoroutineState, ...]:
    def step(pc: int) -> Step:
        spot = stacks.code.spot(pc)
        if spot is None:
            return Step(-1, True)
        return Step(-1 if spot.function.top_frame else spot.size, is_hard(spot))

    labels = same_stacks(table, step)
    alike: dict[tuple[int, int], Traceback] = {}
    states: list[GoroutineState] = []
    for i, g in goroutines:
        if g.address in walked:
            states.append(describer.describe(g, *walked[g.address]))
            continue
        key = (int(labels[i]), g.start)
        stands = alike.get(key) if key[0] >= 0 else None
        if stands is None:
            copied.choose(i)
            stands = traceback_of(stacks, g, describer.name_of(g.start))
            if stands.end and copied.overrun:
                stands = replace(stands, end=_CUT.format(copied.size))
            alike[key] = stands
        states.append(describer.describe(g, g.sp, stands))
    return tuple(states)


def _decoded(
    table: GoroutineTable, chosen: NDArray[np.int64], names: dict[int, str]
) -> Iterator[tuple[int, Goroutine]]:
    """The goroutines at some rows of the table, with their rows: as many as there may be, there is
    no step of Python's own for each."""
    columns = dict(table.columns, address=table.address, sp=table.sp, pc=table.pc)
    columns["waitsince"] = columns["waitsince"].view(np.int64)
    fields: dict[str, list[Any]] = {n: columns[n][chosen].tolist() for n in _FIELDS if n in columns}
    fields["status"] = [names.get(s, "unknown") for s in table.status[chosen].tolist()]
    return zip(chosen.tolist(), map(Goroutine, *(fields[name] for name in _FIELDS)), strict=True)


# In the order of Goroutine's.
_FIELDS = (
    "address", "goid", "status", "stack.lo", "stack.hi", "sp", "pc", "sched.bp", "m", "waitreason",
    "waitsince", "gopc", "startpc", "parentGoid", "lockedm", "runningCleanups", "labels",
)  # fmt: skip


class _StackMemory:
    """The copied stack of one goroutine at a time, at the addresses that it had."""

    def __init__(self, table: GoroutineTable) -> None:
        self._table = table
        self._low = 0
        self._data = b""
        self.overrun = False
        """Whether what lies beyond the copied part of the chosen stack was asked for."""

    @property
    def size(self) -> int:
        return len(self._data)

    def choose(self, index: int) -> None:
        self.overrun = False
        self._low = int(self._table.sp[index])
        self._data = self._table.stack(index)

    def read(self, address: int, size: int) -> bytes:
        start = address - self._low
        if start < 0 or start + size > len(self._data):
            self.overrun |= start >= 0
            raise UnreadableError(address, size, "this part of the stack was not copied")
        return self._data[start : start + size]

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        raise UnreadableError(0, 0, "only stacks were copied")

    def read_into(self, address: int, buffer: Buffer) -> None:
        view = memoryview(buffer).cast("B")
        view[:] = self.read(address, view.nbytes)
