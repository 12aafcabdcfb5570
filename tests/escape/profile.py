"""Go's memory profile, read as an independent witness: profile.proto, as far as it is needed.

Format: github.com/google/pprof/proto/profile.proto; written by src/runtime/pprof/protomem.go.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import goprobe
from goprobe.model.escape import Call, EscapeReport
from tests.escape.corpus import go_environment
from tests.support.go import toolchain

_HITS = 300
# An allocation may start the collector, which allocates a little of its own on the way (the profile
# hides the runtime's frames and gives it to the line); and where a small object opens a block is up
# to what the scheduler's other goroutines allocate.
BESIDES = 6

_RUNTIME = re.compile(r"/src/(?:runtime|internal/runtime/\w+|runtime/internal/\w+)/[^/]+$")

Place = tuple[str, int]
Field = tuple[int, int | bytes]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[Field]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif key & 7 == 2:
            size, at = _varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        else:
            raise AssertionError(f"unexpected wire type {key & 7} in a memory profile")


def _numbers(value: int | bytes) -> list[int]:
    """A repeated number, packed or single."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(number)
    return found


def _message(value: int | bytes) -> dict[int, list[int | bytes]]:
    assert isinstance(value, bytes)
    found: dict[int, list[int | bytes]] = {}
    for number, content in _fields(value):
        found.setdefault(number, []).append(content)
    return found


def _first(message: dict[int, list[int | bytes]], number: int) -> int:
    value = message.get(number, [0])[0]
    assert isinstance(value, int)
    return value


def allocations_by_line(path: Path) -> Counter[tuple[str, int]]:
    """Objects allocated, by the innermost line outside of the runtime, from a profile of every
    allocation (-memprofilerate=1). runtime/pprof hides the runtime's frames by their names
    (protomem.go); what it has by other packages' names (maps.clone) is the runtime's all the same.
    """
    strings: list[str] = []
    samples: list[dict[int, list[int | bytes]]] = []
    places: dict[int, list[tuple[int, int]]] = {}  # location: functions and lines, innermost first
    files: dict[int, int] = {}
    for number, value in _fields(gzip.decompress(path.read_bytes())):
        if number == 2:
            samples.append(_message(value))
        elif number == 4:
            location = _message(value)
            lines = [_message(line) for line in location[4]]
            places[_first(location, 1)] = [(_first(line, 1), _first(line, 2)) for line in lines]
        elif number == 5:
            function = _message(value)
            files[_first(function, 1)] = _first(function, 4)
        elif number == 6:
            assert isinstance(value, bytes)
            strings.append(value.decode())
    found: Counter[tuple[str, int]] = Counter()
    for sample in samples:
        locations = [n for part in sample.get(1, []) for n in _numbers(part)]
        if not locations:  # a stack that nobody could walk
            continue
        values = [n for part in sample[2] for n in _numbers(part)]
        stack = [
            (strings[files[function]], line) for n in locations for function, line in places[n]
        ]
        outside = (place for place in stack if not _RUNTIME.search(place[0]))
        found[next(outside, stack[0])] += values[0]
    return +found


def study(package: str, go: str, output: Path, cwd: str = "/", **options: object) -> EscapeReport:
    with go_environment(), output.open("w") as file:
        return goprobe.escape(
            package,
            go=str(toolchain(go)),
            cwd=cwd,
            stdout=file.fileno(),
            stderr=file.fileno(),
            timeout=900.0,
            **options,  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class Made:
    """What was allocated on a line: objects, and the memory blocks that they began."""

    objects: int = 0
    blocks: int = 0

    def expected(self, without: Made, profiled: int) -> range:
        """The blocks that the profile may have: `without` is what a run without any test makes,
        and `profiled` what its profile has of that.

        Which of the small objects begin a block differs from run to run: where all are made
        without a test, those of the one run tell nothing of the other's.
        """
        least = 0 if self.objects == without.objects else self.blocks - without.blocks + profiled
        return range(min(least, self.blocks), self.blocks + 1)


def made(report: EscapeReport, folder: str) -> dict[Place, Made]:
    """By line of the files in a folder what was allocated there, where every hit was looked at."""
    return {
        place: Made(sum(c.allocations for c in group), sum(c.blocks for c in group))
        for place, group in _calls(report, folder).items()
        if all(c.blocks >= 0 for c in group)
    }


def _calls(report: EscapeReport, folder: str) -> dict[Place, list[Call]]:
    lines: dict[Place, list[Call]] = {}
    for site in report.sites:
        for call in site.calls:
            place = str(Path(report.folder, call.file)), call.line
            if _is_in(place, folder):
                lines.setdefault(place, []).append(call)
    return lines


def _is_in(place: Place, folder: str) -> bool:
    """Whether a file lies in a folder; of one that ends with "/" in those below, too."""
    if folder.endswith("/"):
        return folder in place[0]
    return place[0].rpartition("/")[0].endswith(folder)


@dataclass(frozen=True)
class Compared:
    """`lines` allocated; of those that differ what goprobe says, and what the profile does. Of
    `untold` ones goprobe says nothing: the runtime, or reflect, allocates on their behalf, and up
    to Go 1.25 the profile gives a line what the function that it calls has allocated."""

    report: EscapeReport
    lines: int
    differing: dict[Place, tuple[int, int]]
    untold: Mapping[Place, int]


def compared(
    package: str,
    go: str,
    folder: Path,
    cwd: str = "/",
    more: tuple[str, ...] = (),
    *,
    of: str = "",
    deep: bool = False,
) -> Compared:
    """A package's own tests, counted by goprobe and by the profile that they write themselves: the
    lines of the package of Go's library, or those in the folder `of`."""
    of = of or f"/src/{package}"
    empty, profile, output = folder / "empty.out", folder / "mem.out", folder / "out"
    rate = "-test.memprofilerate=1"
    # What is allocated before main is not in the profile, unless it is large (the profile then
    # samples by size), and what runtime/pprof allocates to write it is not either (os.ReadFile of
    # /proc/self/maps, proto_other.go): a run of no test shows how much that is.
    options = {"test": True, "hits": _HITS, "deep": deep}
    none = (f"-test.memprofile={empty}", rate, *more, "-test.run=^$")
    first = made(study(package, go, output, cwd, args=none, **options), of)
    flags = (f"-test.memprofile={profile}", rate, *more)
    report = study(package, go, output, cwd, args=flags, **options)
    ours, theirs, profiled = made(report, of), *map(allocations_by_line, (profile, empty))
    differing = {
        place: (line.blocks, theirs[place])
        for place, line in ours.items()
        if theirs[place] not in line.expected(first.get(place, Made()), profiled[place])
    }
    told = _calls(report, of)
    untold = {p: theirs[p] for p in theirs if _is_in(p, of) and p not in told}
    lines = sum(line.blocks > 0 for line in ours.values())
    return Compared(report, lines, differing, untold)
