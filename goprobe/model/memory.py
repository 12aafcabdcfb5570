"""The report of `goprobe memory`: schema goprobe.memory/1. Sizes in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.counts import counted
from goprobe.model.table import TableReport, column

SCHEMA = "goprobe.memory/1"


class MemoryPart(msgspec.Struct, frozen=True):
    """Memory of one use that is resident (of a core file: that it has). `of` is what it is a part
    of: "Go heap", "stacks", "Go runtime", "program", "C", "libraries", "files", "shared memory" (of
    files that are in memory only), "copied pages of files" (mapped privately, and written to),
    "other"."""

    name: Annotated[str, column("what")]
    bytes: Annotated[int, column("resident", unit="bytes")]
    of: Annotated[str, column("part of")]


class ChargePart(msgspec.Struct, frozen=True):
    """Of a memory cgroup's charge, by the kernel's name (memory.stat)."""

    name: str
    bytes: int


class KernelMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel says. `rss` is the sum of the parts, `smaps_rss` the kernel's own sum (of
    processes beyond 2 GiB its counter, VmRSS), which is read in another moment; `huge` is the
    part of it in huge pages, `pss` the share of what others map, too (not told beyond 2 GiB: it
    takes long); `page_tables` come on top; `peak` is the most that was ever resident.

    `cgroup` is what the process's memory cgroup is charged with (of all in it, caches of files
    too), which `cgroup_parts` add up to; `cgroup_limit` the least limit of it and of what it lies
    in (`cgroup_limit_of` names which), `cgroup_left` what may be charged yet; beyond `cgroup_high`
    (memory.high, of `cgroup_high_of`) the kernel slows down who is in it and takes memory back.
    `cgroup_swap` is what of all in it is swapped out, and comes on top, at most
    `cgroup_swap_limit`; `why_no_cgroup` says why that is not known. `swap_pss` is the share of
    `swap` of what others have, too.
    """

    rss: int
    smaps_rss: int | UnsetType = UNSET
    pss: int | UnsetType = UNSET
    swap: int | UnsetType = UNSET
    swap_pss: int | UnsetType = UNSET
    huge: int | UnsetType = UNSET
    page_tables: int | UnsetType = UNSET
    peak: int | UnsetType = UNSET
    cgroup: int | UnsetType = UNSET
    cgroup_name: str = ""
    cgroup_limit: int | UnsetType = UNSET
    cgroup_limit_of: str = ""
    cgroup_left: int | UnsetType = UNSET
    cgroup_high: int | UnsetType = UNSET
    cgroup_high_of: str = ""
    cgroup_swap: int | UnsetType = UNSET
    cgroup_swap_limit: int | UnsetType = UNSET
    cgroup_parts: tuple[ChargePart, ...] = ()
    why_no_cgroup: str = ""


class Collection(msgspec.Struct, frozen=True):
    """A collection that has ended at `end_unix_ns`, and how long it stopped the program."""

    number: int
    end_unix_ns: int
    pause_ns: int


NO_GOAL = 1 << 60
"""Of `next_gc`: from here on no collection is due. (With GOGC=off and no limit the goal is
^uint64(0) or half of that, mgcpacer.go.)"""


class RuntimeState(msgspec.Struct, frozen=True, kw_only=True):
    """What the runtime is set to and is about to do. `gogc` is -1 where it is off, and
    `memory_limit` UNSET without one; `limited` is what counts towards it. `next_gc` is the heap's
    goal, `live` what the last collection found alive (UNSET before the first one). `retained` is
    heap that is not given back, of which the scavenger keeps `retain_goal` (UNSET where no
    collection has set it); `free` is the part of it in free pages, `scavenger` says in a sentence
    whether it will return them, and when. `phase` is the collector's ("off", "mark", "mark
    termination"), `swept` whether all that the last collection marked has been swept;
    `finalizers` wait to be run, and `timers` are set.
    """

    gogc: int
    memory_limit: int | UnsetType = UNSET
    limited: int = 0
    next_gc: int
    live: int | UnsetType = UNSET
    retained: int
    retain_goal: int | UnsetType = UNSET
    free: int
    scavenger: str
    collections: tuple[Collection, ...] = ()
    phase: str | UnsetType = UNSET
    swept: bool | UnsetType = UNSET
    finalizers: int | UnsetType = UNSET
    timers: int | UnsetType = UNSET
    gomaxprocs: int
    idle_ps: int
    run_queue: int
    goroutines: int
    threads: int
    idle_threads: int
    spinning_threads: int


class Surprise(msgspec.Struct, frozen=True):
    """A part that is larger than a program of this size needs: by how much, what it is in words,
    and which setting or code would change it."""

    part: str
    bytes: int
    says: str
    change: str


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What happened between two looks, a second; `goroutines` made is UNSET before Go 1.26."""

    seconds: float
    allocated_bytes: float
    allocated_objects: float
    freed_bytes: float
    collections: float
    gc_cpu: float
    resident_bytes: float
    goroutines: float | UnsetType = UNSET


class MemoryReport(TableReport, frozen=True, kw_only=True):
    """`parts` add up to `kernel.rss`. `memstats` are the fields of runtime.MemStats and `metrics`
    the values of runtime/metrics by their names, as the program itself would read them; an
    infinite bound of a histogram is null. `not_told` says why some are missing. `absent` are bytes
    of what the heap's spans hold that are not in memory: never touched, or swapped out; `swapped`
    says of each group of parts (`of`) how much is, as far as the kernel's page map tells."""

    pause_us: int
    parts: tuple[MemoryPart, ...]
    kernel: KernelMemory
    absent: int = 0
    swapped: dict[str, int] = msgspec.field(default_factory=dict)
    memstats: dict[str, Any]
    metrics: dict[str, Any]
    not_told: dict[str, str] = msgspec.field(default_factory=dict)
    runtime: RuntimeState | UnsetType = UNSET
    surprises: tuple[Surprise, ...] = ()
    verdict: str
    rates: Rates | UnsetType = UNSET
    schema: str = SCHEMA

    row: ClassVar[type[msgspec.Struct]] = MemoryPart

    @property
    def rows(self) -> Sequence[MemoryPart]:
        """The parts."""
        return self.parts

    @property
    def summary(self) -> str:
        """In a sentence."""
        return f"Process {self.pid}: {counted(self.kernel.rss, 'byte')} resident"

    @property
    def notes(self) -> tuple[str, ...]:
        """The verdict, and what else is larger than it needs to be."""
        return (self.verdict, *(f"{each.says}: {each.change}" for each in self.surprises[1:]))
