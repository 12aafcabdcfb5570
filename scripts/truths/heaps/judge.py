"""What goprobe says of a heap against what its program said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np

from goprobe.analysis.heap.dangling import Dangling
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.heap import report_on
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.nodes import NO_OFFSET
from goprobe.analysis.heap.objects import Way
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heap.reach import UNREACHED
from goprobe.process.memory.memory import u64
from scripts.truths.answer import Answer, contradictions, equal, not_told, right, wrong
from scripts.truths.heaps.pointed import Pointed
from scripts.truths.heaps.said import ObjectSaid, Parts, Said, at_address, same_type

_BRUTE = 12
_PART = re.compile(r"object (?:beginning with|holding) (.*?)(?: at \+0x([0-9a-f]+))?")
_GENERIC = "go.shape."
_TWINS = {"runtime.timer": "time.runtimeTimer"}  # one struct in two packages, up to Go 1.22
_TINY = "tiny block holding "


class Judge:
    def __init__(self, graph: HeapGraph, said: Said) -> None:
        self.graph = graph
        self.said = said
        self.parts = Parts(said)
        self.names = Names(graph)

    def answers(self) -> Iterator[Answer]:
        yield from self._census()
        live = list(self._living())
        for made, node in live:
            yield from self._base(made, node)
            yield self._type(made, node)
        yield from self._pointed()
        yield from self._edges()
        yield from self._garbage()
        yield from self._dangling()
        chosen = Random(len(live)).sample(live, min(_BRUTE, len(live)))
        for made, node in chosen:
            yield self._retained(made, node)
            yield self._path(made, node)

    # What is there

    def _census(self) -> Iterator[Answer]:
        report = report_on(self.graph, HeapQuestions(types=True, retained=True, unreachable=True))
        census, said = report.census, self.said
        check = report.self_check
        if check.popcount_mismatches:
            yield wrong("self check", truth="no mismatch", told=str(check))
        yield from contradictions(report.audit)
        if len(list(Path(f"/proc/{self.graph.world.pid}/task").iterdir())) != said.threads:
            yield not_told("census", "a thread has begun since the program counted")
            return
        for name, truth, told in (
            ("objects", said.heap_objects, census.objects),
            ("bytes", said.heap_bytes, census.bytes),
        ):
            yield equal(f"census {name}", truth, told)

    def _living(self) -> Iterator[tuple[ObjectSaid, int]]:
        """The objects that the program's own edges lead to from its roots, and their nodes."""
        reached = self.reached()
        for made in self.said.by_address:
            if made.address in reached and not self._is_static(made.address):
                yield made, self.graph.node_at(made.address)

    def _is_static(self, address: int) -> bool:
        """As values without a size or of zeros are, and closures that capture nothing."""
        world = self.graph.world
        low, high = (world.bias + edge for edge in world.program.image)
        return low <= address < high

    def reached(self) -> set[int]:
        """First addresses of the objects that the program keeps."""
        found = self._reached_from(self._roots(set(self.said.gone)), set(self.said.gone))
        before = self._reached_from(self._roots(set()), set())
        while True:  # what was there at the last collection keeps its finalizers and cleanups
            more = self._attached(before) - found
            if not more:
                return found
            found |= self._reached_from(more, set(self.said.gone))
            before |= self._reached_from(more, set())

    def _attached(self, there: set[int]) -> set[int]:
        out = self._out(set())
        kept: list[int] = []
        for owner, value, finalizer in self.said.attached:
            if owner in there and not self._is_static(owner):  # those never go
                kept += [value, *(out.get(owner, ()) if finalizer else ())]
        return {made.address for at in kept if (made := self._made_at(at))}

    def _roots(self, gone: set[int]) -> set[int]:
        said = self.said
        roots = sorted(said.roots)
        found = set(said.kept)
        for slot, target in [*said.edges, *said.holds]:
            if slot not in gone and any(low <= slot < low + size for low, size, _ in roots):
                found.add(target)
        return found

    def _out(self, gone: set[int]) -> dict[int, list[int]]:
        out: dict[int, list[int]] = {}
        for slot, target in [*self.said.edges, *self.said.holds]:
            if slot not in gone and (owner := self._made_at(slot)):
                out.setdefault(owner.address, []).append(target)
        return out

    def _reached_from(self, roots: set[int], gone: set[int]) -> set[int]:
        out, found, work = self._out(gone), set[int](), list(roots)
        while work:
            made = self._made_at(work.pop())
            if made and made.address not in found:
                found.add(made.address)
                work += out.get(made.address, ())
        return found

    def _made_at(self, address: int) -> ObjectSaid | None:
        return at_address(self.said.by_address, address)

    def _base(self, made: ObjectSaid, node: int) -> Iterator[Answer]:
        asked = f"{made.what} at {made.address:#x}: base"
        if node < 0:
            yield wrong(asked, truth="an object", told=f"none ({node})")
            return
        graph = self.graph
        base, size = graph.address(node), int(graph.objects.size[node])
        tiny = graph.is_tiny(node)
        if base != made.address and not tiny:
            yield wrong(asked, truth=f"{made.address:#x}", told=f"{base:#x}")
        elif made.end > int(graph.objects.base[node]) + size:
            yield wrong(asked, truth=f"{made.size} bytes", told=f"{size} bytes")
        elif not graph.reachable[node]:
            yield wrong(asked, truth="reachable", told="garbage")

    # Types

    def _type(self, made: ObjectSaid, node: int) -> Answer:
        truth = self.truth(made)
        asked = f"{made.what} {truth} at {made.address:#x}: type"
        if node < 0:
            return not_told(asked, "no object")
        told = self.graph.type_name(node)
        if not told:
            return not_told(asked, f"{made.what} without a type")
        if told.startswith(_TINY):
            return self._tiny(asked, truth, node, told.removeprefix(_TINY))
        if any(same_type(told, t) for t in self.truths(made)):
            return right(asked)
        if _GENERIC in told:
            return not_told(asked, f"{made.what}: as generic code calls it")
        if " or " in told:
            several = told.split(" or ")
            if any(same_type(t, one) for t in self.truths(made) for one in several):
                return not_told(asked, f"{made.what}: one of several")
            if made.what == "value" and any(self._is_all(made, one) for one in several):
                return not_told(asked, "value: by all that it holds, or one of several")
        elif part := _PART.fullmatch(told):
            at = int(part[2], 16) if part[2] else 0
            if made.what in ("value", "array") and self._holds(made, _element(part[1]), at):
                return not_told(asked, f"{made.what}: a part is named")
        elif made.what == "value" and self._is_all(made, _element(told)):
            return not_told(asked, "value: by all that it holds")
        return wrong(asked, truth=truth, told=told)

    def _holds(self, made: ObjectSaid, part: str, at: int) -> bool:
        """Whether the object has a part of a type `at` bytes from its beginning."""
        part = _TWINS.get(part, part)
        size = max(self.said.types[made.type].size, 1)
        return self.parts.holds(made.type, part, at % size if made.what == "array" else at)

    def _is_all(self, made: ObjectSaid, part: str) -> bool:
        """Whether a value of another type is all that there is of the object, as in
        struct{ value T } or [1]T."""
        return any(
            kind.size == made.size and same_type(kind.name, part)
            for kind in self.said.types.values()
        ) and self.parts.holds(made.type, part, 0)

    def _tiny(self, asked: str, truth: str, node: int, told: str) -> Answer:
        """Several objects share the slot: one of them is named."""
        base, size = int(self.graph.objects.base[node]), int(self.graph.objects.size[node])
        inside = [o for o in self.said.by_address if base <= o.address < base + size]
        if any(same_type(told, t) for o in inside for t in self.truths(o)):
            return right(asked)
        return not_told(asked, "a tiny block, named by another object in it")

    def truth(self, made: ObjectSaid) -> str:
        name = self.said.types[made.type].name
        match made.what:
            case "array":
                return f"[]{name} backing"
            case "closure":
                return f"closure {self.said.code[made.address]}"
            case "text":
                return "string data"
        return name

    def truths(self, made: ObjectSaid) -> list[str]:
        """Every true statement."""
        found = [self.truth(made)]
        if made.type in self.said.also:
            found.append(self.said.also[made.type])
        if made.what == "array" and made.count == 1:
            found.append(self.said.types[made.type].name)
        if made.what == "value":  # a slice may be all that leads to it
            found += [f"[]{self.said.types[made.type].name} backing"]
            if self.truth(made) in ("time.Timer", "time.Ticker"):
                found.append("runtime.timeTimer")  # what the runtime allocates for them
            for offset, part, _ in self.said.parts.get(made.type, ()):
                if self.said.types[made.type].name.startswith("[") and not offset:
                    found.append(f"[]{self.said.types[part].name} backing")
        return found

    def _pointed(self) -> Iterator[Answer]:
        """Objects of the library, by the typed pointers that lead into them."""
        graph, pointed = self.graph, Pointed(self.said)
        for address, kind, count in sorted(self.said.points):
            node = graph.node_at(address)
            if node < 0:
                continue
            told = graph.type_name(node)
            truth = self.said.types[kind].name
            at = address - graph.address(node)
            asked = f"{count} {truth} at {address:#x}, {at} bytes into an object"
            if not told or _GENERIC in told:
                yield not_told(asked, "pointed at: without a type")
            elif not told.startswith(_TINY):
                fits = [pointed.agrees(one, at, kind, count) for one in told.split(" or ")]
                if any(fits):
                    yield right(asked)
                elif None not in fits:
                    yield wrong(asked, truth=truth, told=told)
        for address, name in self.said.closures.items():
            node = graph.node_at(address)
            told = graph.type_name(node) if node >= 0 else ""
            if told and _GENERIC not in told and not same_type(told, f"closure {name}"):
                yield wrong(f"closure at {address:#x}", truth=name, told=told)

    # Pointers

    def _edges(self) -> Iterator[Answer]:
        graph = self.graph
        nodes = graph.nodes
        gone = set(self.said.gone)
        for slot, target in self.said.edges:
            source, to = graph.node_at(slot), graph.node_at(target)
            if source < 0 or to < 0 or slot in gone:
                continue
            if u64(graph.world.memory, slot) != target:
                continue  # written over since
            word = (slot - int(graph.objects.base[source])) // 8
            first, last = int(nodes.first[source]), int(nodes.first[source + 1])
            at = first + np.flatnonzero(nodes.offset[first:last] == word)
            asked = f"pointer at {slot:#x} to {target:#x}"
            if [int(nodes.target[e]) for e in at] != [to] and graph.reachable[source]:
                told = f"{[int(nodes.target[e]) for e in at]} at word {word} of {source}"
                yield wrong(asked, truth=f"an edge to {to}", told=told)
                return
        yield right("pointers")

    def _garbage(self) -> Iterator[Answer]:
        """What was let go when no collection followed any more."""
        if not self.said.gone:
            return
        # The runtime keeps a timer that runs, and so what it will call, whoever else has let it go.
        timers = {m.address for m in self.said.objects if self.truth(m) == "time.Timer"}
        kept = self.reached() | self._reached_from(timers, set(self.said.gone))
        lost = {t for s, t in self.said.edges if s in set(self.said.gone)}
        for target in lost:
            made = self._made_at(target)
            if made is None or made.address in kept:
                continue
            if self._is_static(made.address):
                continue
            node = self.graph.node_at(made.address)
            asked = f"{made.what} at {made.address:#x}: let go"
            if node < 0:
                yield wrong(asked, truth="garbage", told=f"no object ({node})")
            elif self.graph.is_tiny(node):
                continue
            elif self.graph.reachable[node]:
                yield wrong(asked, truth="garbage", told=self._shown(self._way(node)))
            else:
                yield right(asked)

    def _dangling(self) -> Iterator[Answer]:
        found = Dangling(self.graph).edges()
        asked = "dangling pointers"
        if not found:
            yield right(asked)
        for edge in found:
            told = f"{edge.source.name} {edge.field} -> {edge.to.name}, {edge.why}"
            yield wrong(asked, truth="none", told=told)

    # Who keeps it

    def _retained(self, made: ObjectSaid, node: int) -> Answer:
        asked = f"{made.what} at {made.address:#x}: retained"
        graph = self.graph
        if node < 0:
            return not_told(asked, "no object")
        return equal(asked, self._brute(node), int(graph.retained[node]))

    def _brute(self, without: int) -> int:
        """The bytes that are reached with a node, and not without it."""
        nodes = self.graph.nodes
        sizes = nodes.sizes()
        total = 0
        for leave in (False, True):
            seen = np.zeros(len(nodes), bool)
            work = [nodes.root]
            while work:
                node = work.pop()
                if seen[node] or (leave and node == without):
                    continue
                seen[node] = True
                work += nodes.target[nodes.first[node] : nodes.first[node + 1]].tolist()
            total += int(sizes[seen].sum()) * (-1 if leave else 1)
        return total

    def _way(self, node: int) -> Way:
        graph = self.graph
        way: Way = []
        while True:
            edge = int(graph.reach.via[node])
            if edge < 0:
                return [*way, (node, edge)][::-1]
            way.append((node, edge))
            node = graph.nodes.source_of(edge)

    def _shown(self, way: Way) -> str:
        return " ".join(self.names.location(n).name for n, _ in way if n != self.graph.nodes.root)

    def _path(self, made: ObjectSaid, node: int) -> Answer:
        """Every step of the way that is told must be a pointer in memory."""
        asked = f"{made.what} at {made.address:#x}: path"
        if node < 0 or int(self.graph.reach.via[node]) == UNREACHED:
            return not_told(asked, "not reached")
        graph, nodes = self.graph, self.graph.nodes
        way = self._way(node)
        for (source, _), (target, edge) in pairwise(way):
            if source == nodes.root or not nodes.is_object(target):
                continue
            offset = int(nodes.offset[edge])
            start = (
                int(graph.objects.base[source])
                if nodes.is_object(source)
                else nodes.group(source).address
            )
            if offset == NO_OFFSET or not start:
                continue
            lies = u64(graph.world.memory, start + 8 * offset)
            leads = int(graph.objects.base[target]) + int(nodes.into[edge])
            if lies != leads:
                return wrong(
                    asked, truth=f"{lies:#x} at {start + 8 * offset:#x}", told=f"{leads:#x}"
                )
        return right(asked)


def _element(part: str) -> str:
    """What lies in it: an array of a type holds that type."""
    return part.removeprefix("[]").removesuffix(" backing") if part.endswith(" backing") else part
