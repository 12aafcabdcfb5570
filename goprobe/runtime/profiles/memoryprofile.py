"""The heap's profile as the runtime keeps it: sampled allocations and frees, by stack and size.

Source: src/runtime/mprof.go (memRecord, MemProfile), mheap.go (specialprofile), malloc.go
(profilealloc), Go 1.21 to 1.27. What is allocated counts towards the profile only once a
collection could have freed it: each record has what is published and three cycles that are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from goprobe.errors import UndescribedError, UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import u32
from goprobe.runtime.heap.spantable import SpanTable
from goprobe.runtime.profiles.buckets import Bucket, Kind, held, read_buckets
from goprobe.runtime.roots.speciallists import Fields, Pages, follow
from goprobe.runtime.world import World

UNKNOWN = -1
READERS = ("runtime.memProfileInternal", "runtime.MemProfile")
"""The linker has the runtime sample nothing where neither is in the program: the first since Go
1.23, the second before (disableMemoryProfiling, cmd/link/internal/ld/lib.go)."""


class Counts(msgspec.Struct, frozen=True):
    """Objects sampled since the start."""

    allocs: int
    frees: int

    @property
    def in_use(self) -> int:
        return self.allocs - self.frees


class SampledSite(msgspec.Struct, frozen=True):
    """A bucket with what is `published`, as runtime.MemProfile has it, and what is counted by
    `now`, whatever collections have yet to say."""

    bucket: Bucket
    published: Counts
    now: Counts


class MemoryProfile(msgspec.Struct, frozen=True, kw_only=True):
    """`rate` is runtime.MemProfileRate, UNKNOWN where that cannot be read; `linked` whether the
    program has what reads the profile. `objects` are addresses of objects that were sampled and are
    there, and `bucket` the address of each one's bucket. `why` says what is missing, "" where
    nothing is. `unsure` of the objects of a while may be missing (see `since`). `doubtful` is the
    bucket, if any, whose counts the runtime was publishing in that moment: what it has done of
    that cannot be told, so some may be counted twice."""

    rate: int
    linked: bool
    sites: tuple[SampledSite, ...]
    objects: Words
    bucket: Words
    why: str = ""
    unsure: int = 0
    doubtful: Bucket | None = None

    @property
    def settled(self) -> bool:
        """Whether the runtime was in the middle of nothing that a look a moment later may not
        find."""
        return not self.unsettled and self.doubtful is None

    @property
    def unsettled(self) -> int:
        """How many sites do not have as many objects as they counted: an allocation or a sweep is
        between two of its steps."""
        there = numbers(self.bucket)
        return sum(s.now.in_use != there.get(s.bucket.address, 0) for s in self.sites)


def memory_profile(world: World, spans: SpanTable) -> MemoryProfile:
    """The profile of a process that stands still; `spans` are those in use."""
    none = np.zeros(0, np.uint64)
    linked = any(world.lines.function_named(name) for name in READERS)
    try:
        rate = int.from_bytes(
            world.memory.read(world.roots["MemProfileRate"], 8), "little", signed=True
        )
        buckets = read_buckets(world, Kind.MEMORY)
        cycle = u32(world.memory, world.roots["mProfCycle"]) >> 1  # bit 0: it is flushed already
        objects, bucket, astray = _sampled(world, spans)
    except (UndescribedError, UnreadableError) as error:
        return MemoryProfile(
            rate=UNKNOWN, linked=linked, sites=(), objects=none, bucket=none, why=str(error)
        )
    records = [_cycles(world, each.record) for each in buckets.all]
    doubtful = None
    if held(world, "profMemActiveLock"):
        number = _being_published(records, cycle)
        if number is not None:
            settled = _settled(records[number], cycle, numbers(bucket), buckets.all[number])
            records[number] = settled or records[number]
            doubtful = buckets.all[number] if settled is None else None
    return MemoryProfile(
        rate=rate,
        linked=linked,
        sites=_counted(buckets.all, records, cycle),
        objects=objects,
        bucket=bucket,
        why=buckets.broken or astray,
        doubtful=doubtful,
    )


def numbers(bucket: Words) -> dict[int, int]:
    """How many objects have which bucket."""
    there, counts = np.unique(bucket, return_counts=True)
    return dict(zip(there.tolist(), counts.tolist(), strict=True))


def _ended(record: Sequence[Counts], cycle: int) -> int:
    """Where in a record the cycle is that is published next, or is so already."""
    return 1 + cycle % (len(record) - 1)


def _being_published(records: Sequence[Sequence[Counts]], cycle: int) -> int | None:
    """Which bucket a thread may be at that publishes (mProf_FlushLocked): it takes them in the
    order of the list, adds to what is published of each, and empties its cycle."""
    for number, record in enumerate(records):
        ended = record[_ended(record, cycle)]
        if ended.allocs or ended.frees:
            return number
    return None


def _settled(
    record: Sequence[Counts], cycle: int, there: Mapping[int, int], bucket: Bucket
) -> list[Counts] | None:
    """A record as it was before its cycle was added: nothing of that has been yet, or the
    allocations, or the frees too. Only one of these fits what there is of its objects, unless as
    many were freed as allocated: then None."""
    active, rest = record[0], record[1:]
    ended = record[_ended(record, cycle)]
    ways = {
        active,
        Counts(active.allocs - ended.allocs, active.frees),
        Counts(active.allocs - ended.allocs, active.frees - ended.frees),
    }
    in_use = there.get(bucket.address, 0) - sum(each.in_use for each in rest)
    fitting = [w for w in ways if w.in_use == in_use and min(w.allocs, w.frees) >= 0]
    return [fitting[0], *rest] if len(fitting) == 1 else None


def _counted(
    buckets: Sequence[Bucket], records: Sequence[Sequence[Counts]], cycle: int
) -> tuple[SampledSite, ...]:
    """By the rule of memProfileInternal: a cycle is published whose frees are all in; before the
    first collection has ended, all that is counted."""
    published = [_sum((r[0], r[_ended(r, cycle)])) for r in records]
    now = [_sum(r) for r in records]
    if not any(p.allocs or p.frees for p in published):
        published = now
    return tuple(map(SampledSite, buckets, published, now))


def _cycles(world: World, record: bytes) -> list[Counts]:
    """What is published, then each cycle of the ring `future`."""
    layout = world.layout
    whole, each = layout.struct("memRecord"), layout.struct("memRecordCycle")
    ring = whole.fields["future"]
    starts = [whole.offset("active")]
    starts += range(ring.offset, ring.offset + ring.size, each.size)
    return [
        Counts(*(_word(record, start + each.offset(name)) for name in ("allocs", "frees")))
        for start in starts
    ]


def _word(record: bytes, at: int) -> int:
    return int.from_bytes(record[at : at + 8], "little")


def _sum(cycles: Sequence[Counts]) -> Counts:
    return Counts(sum(c.allocs for c in cycles), sum(c.frees for c in cycles))


def _sampled(world: World, spans: SpanTable) -> tuple[Words, Words, str]:
    """Each object that was sampled, its bucket, and what is wrong with the lists of specials."""
    pages, kind = Pages(world.memory), world.layout.constants["_KindSpecialProfile"]
    about, buckets, broken = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)], ""
    for specials in follow(pages, world.layout, spans):
        chosen = specials.kind == kind
        fields = Fields(pages, world.layout, "specialprofile", specials.at[chosen])
        about.append(specials.about[chosen])
        buckets.append(fields["b"])
        broken = broken or specials.broken
    return np.concatenate(about), np.concatenate(buckets), broken
