"""The words of a process that goprobe goes by: the runtime's structures, and whatever it reads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from goprobe.process.core.file import CoreFile
from goprobe.process.memory.memory import PageCache, Range, u64
from goprobe.runtime.world import World
from goprobe.target.core import CoreTarget
from goprobe.target.goprocess import GoProcess
from scripts.fuzzing.overlay import NotedCore, NotedMemory
from scripts.fuzzing.questions import OF_PROCESS, Asked
from scripts.fuzzing.standing import Standing

_FEW = 40  # of each struct
_LISTED = 64
_BULK = 1 << 12  # bytes: what is longer is an array, of which a few words stand for all


@dataclass(frozen=True, slots=True)
class Struct:
    """One struct of the runtime's in the process."""

    kind: str
    address: int
    number: int


@dataclass(frozen=True)
class Places:
    """`structs` by kind; `ranges` are (address, size) that questions read; `near` are addresses of
    things, and ends of mappings, for pointers to be led to; `reads` what each question reads."""

    structs: dict[str, tuple[Struct, ...]]
    ranges: tuple[Range, ...]
    near: tuple[int, ...]
    reads: dict[str, Reads]


class Reads:
    """What one question reads of the undamaged process. What it does not, cannot change it."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        for low, size in sorted(ranges):
            if self._highs and low <= self._highs[-1]:
                self._highs[-1] = max(self._highs[-1], low + size)
            else:
                self._lows.append(low)
                self._highs.append(low + size)

    def touch(self, low: int, size: int) -> bool:
        at = bisect_left(self._lows, low + size)
        return at > 0 and self._highs[at - 1] > low


def places_of(standing: Standing) -> Places:
    """Everything worth damaging in an undamaged process."""
    structs: dict[str, list[Struct]] = {}
    for struct in _structs(standing.world):
        structs.setdefault(struct.kind, []).append(struct)
    chosen = {kind: tuple(all_[:: max(len(all_) // _FEW, 1)]) for kind, all_ in structs.items()}
    near = [s.address for some in chosen.values() for s in some[:4]]
    near += [a for m in standing.world.mappings for a in (m.low, m.high - 8)]
    near += standing.objects[:20]
    reads = dict(_reads(standing))
    every = dict.fromkeys(range_ for ranges in reads.values() for range_ in ranges)
    return Places(
        chosen,
        tuple(_spread(every)),
        tuple(near),
        {name: Reads(ranges) for name, ranges in reads.items()},
    )


def _structs(world: World) -> Iterator[Struct]:
    memory, layout, roots = world.memory, world.layout, world.roots

    def several(kind: str, addresses: Sequence[int]) -> Iterator[Struct]:
        for i, address in enumerate(addresses):
            yield Struct(kind, address, i)

    def listed(root: str) -> list[int]:
        if root not in roots:  # of a stripped program
            return []
        at, count = u64(memory, roots[root]), u64(memory, roots[root] + 8)
        return [u64(memory, at + 8 * i) for i in range(min(count, _LISTED))]

    yield Struct("mheap", roots["mheap_"], 0)
    yield Struct("moduledata", roots["firstmoduledata"], 0)
    spans = list(world.heap.span_pointers())
    yield from several("mspan", spans)
    yield from several("heapArena", [a.address for a in world.heap.arenas])
    goroutines = world.goroutines.all
    yield from several("g", [g.address for g in goroutines])
    sudogs = world.waiting.sudogs
    yield from several("sudog", sudogs.address.tolist())
    yield from several("hchan", sorted({*sudogs.channel.tolist()} - {0}))
    yield from several("p", listed("allp"))
    yield from several(
        "mcache", [u64(memory, p + layout.offset("p", "mcache")) for p in listed("allp")]
    )
    machines: list[int] = []
    at, link = u64(memory, roots["allm"]) if "allm" in roots else 0, layout.offset("m", "alllink")
    while at and len(machines) < _LISTED:
        machines.append(at)
        at = u64(memory, at + link)
    yield from several("m", machines)
    types, known = world.modules.first["types"], world.program.debug.index.runtime_types
    described = [a for key in known for a in (types + key, key + world.bias)]
    found = [a for a in described if types <= a and world.typedata.record(a) is not None]
    yield from several("internal/abi.Type", found)
    first = layout.offset("mspan", "specials")
    yield from several("special", [s for p in spans if (s := u64(memory, p + first))])


class _NotedTarget(CoreTarget, frozen=True):
    """A target whose reads are noted as they are asked for, above the cache of pages."""

    def world(self) -> World:
        with_cache = super().world()
        assert isinstance(self.core, NotedCore)
        plain = PageCache(CoreFile(self.core.path, self.program.elf.path))
        noted = NotedMemory(plain, self.core.ranges)
        process = GoProcess(with_cache.pid, self.program, self.bias)
        return process.world(noted, with_cache.mappings, with_cache.threads)


def _reads(standing: Standing) -> Iterator[tuple[str, list[Range]]]:
    """What each question reads."""
    core = NotedCore(standing.core, standing.binary)
    target = _NotedTarget(core, standing.target.program, standing.target.bias)
    for name, ask in OF_PROCESS.items():
        core.ranges.clear()
        ask(Asked(target, standing.addresses, standing.objects[0]))
        yield name, list(core.ranges)
    core.close()


def _spread(ranges: Iterable[Range]) -> Iterator[Range]:
    """Each once; long arrays count as often as a few words."""
    for address, size in ranges:
        if 0 < size <= _BULK:
            yield address, size
        elif size:
            for i in range(8):
                yield address + size // 8 * i, size // 8
