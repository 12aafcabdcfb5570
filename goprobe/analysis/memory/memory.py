"""`goprobe memory`: why a process is as large as it is, on one screen.

The story: the runtime's own figures and the bitmaps of its pages are read in one short stop
(`read`); what of the process is resident, and what the kernel sums up, right after it, while it
runs. The heap's pages are divided by both (`heappages`), all else by the map of the process
(`parts`), and what is out of proportion is put into words (`verdict`).
"""

from __future__ import annotations

import time
from operator import attrgetter
from pathlib import PurePath

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.memory.audit import MemoryFacts, audit_memory
from goprobe.analysis.memory.facts import Facts
from goprobe.analysis.memory.heappages import HeapPages, divided
from goprobe.analysis.memory.parts import by_group, parts_of
from goprobe.analysis.memory.read import Moment, read_moment
from goprobe.analysis.memory.there import of_core, of_process
from goprobe.analysis.memory.verdict import surprises, verdict
from goprobe.errors import UnreadableError
from goprobe.model.memory import MemoryReport
from goprobe.process.memory.memory import PageCache
from goprobe.process.proc.identity import entry_point
from goprobe.process.proc.maps import find, read_maps
from goprobe.process.proc.pagemap import Runs
from goprobe.runtime.world import World
from goprobe.target.live import AnyTarget
from goprobe.target.query import query


def memory(target: AnyTarget) -> MemoryReport:
    """Raises what `query` raises. What cannot be read is left out, and the report says why."""
    answer = query(target, read_moment)
    now = 0 if target.is_core else time.time_ns()
    moment = answer.value
    if target.is_core:
        world = target.world()
    else:
        reader = PageCache(target.reader())
        world = target.world(reader, read_maps(target.pid), moment.threads)
    there = of_core(target, world) if target.is_core else of_process(target.pid, world)
    heap = _divided(world, moment, there.runs)
    state = moment.state
    parts = parts_of(there.uses, heap, collected=bool(moment.memstats.get("NumGC")))
    kernel = replace(there.kernel, rss=sum(part.bytes for part in parts))
    huge, swapped = (by_group(there.uses, attrgetter(n)) for n in ("huge", "swapped"))
    host = "" if target.is_core else _host(target.pid, world)
    surprising = surprises(Facts(parts, kernel, state, huge, swapped, now, host))
    report = MemoryReport(
        **target.process.head,
        pause_us=answer.pause_us,
        parts=parts,
        kernel=kernel,
        swapped=swapped,
        absent=heap.absent if heap else 0,
        memstats=moment.memstats,
        metrics=dict(moment.metrics.values),
        not_told=moment.not_told,
        runtime=state if state is not None else UNSET,
        surprises=surprising,
        verdict=verdict(parts, kernel, surprising),
    )
    facts = MemoryFacts(report, there.looked, there.whole, moment.sums, moment.pages)
    return finished(report, audit_memory(facts), target.doubts)


def _host(pid: int, world: World) -> str:
    """The file of the program that the Go program is a library of; "" for a program of its own."""
    entry = entry_point(pid)
    mapping = find(world.mappings, entry) if entry and entry not in world.image else None
    return PurePath(mapping.path).name if mapping else ""


def _divided(world: World, moment: Moment, runs: Runs) -> HeapPages | None:
    if moment.sums is None or not moment.pages:
        return None
    try:
        made = [(s.low, s.high) for s in world.system_stacks.all() if not s.estimated]
        heap = world.heap
        own = [stack for stack in made if heap.arena_at(stack[0]) is not None]
        return divided(heap, moment.pages, moment.sums, runs, own)
    except UnreadableError:
        return None
