"""What is different between two stops: of their variables, and of the heap."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec
from msgspec import UNSET

from goprobe.api.notebook import table
from goprobe.errors import GoprobeError
from goprobe.model import trace
from goprobe.model.address import Address
from goprobe.model.value import Data, Variable

_COMPARED = 1 << 24  # bytes of one variable
_CUT = "…"
_BY_ADDRESS = "Pointers are compared by their addresses, not by what lies there."


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
    """What is different from an earlier stop. Pointers are compared by their addresses: that what
    lies there is another by now is not told, and `watch` stops at writes to it. `objects` and
    `bytes` are the heap's growth; None unless both stops were asked for their heap."""

    moved: tuple[Moved, ...]
    changed: tuple[Changed, ...]
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]
    objects: int | None = None
    bytes: int | None = None

    def _repr_html_(self) -> str:
        rows = [("changed", c.name, c.before, c.after) for c in self.changed]
        rows += [("moved", m.name, str(m.before), str(m.after)) for m in self.moved]
        rows += [("appeared", name, "", "") for name in self.appeared]
        rows += [("vanished", name, "", "") for name in self.vanished]
        told = table(rows, ("", "variable", "before", "after"))
        return f"{told}<p><small>{_BY_ADDRESS}</small></p>"


class Kept(msgspec.Struct, frozen=True):
    """A variable as it was at a stop; `digest` is of the bytes that its text leaves out."""

    variable: Variable
    digest: str


Place = tuple[str, str, int, int, int]
"""Function, name, line, which of those, and the number of the function's frame from outside."""


def kept(
    stop: trace.StopReport, variables: Iterable[Variable], digest: Callable[[int, int], str]
) -> dict[Place, Kept]:
    """Variables by what they are in the source; `digest` is of the program's memory."""
    by_place: dict[Place, Kept] = {}
    seen: Counter[tuple[int, str, int]] = Counter()
    for v in variables:
        line = v.line if v.line is not UNSET else 0
        depth = sum(1 for f in stop.frames[v.frame :] if f.function == v.function)
        place = (v.function, v.name, line, seen[v.frame, v.name, line], depth)
        seen[v.frame, v.name, line] += 1
        by_place[place] = Kept(v, _digest(v, digest))
    return by_place


def _digest(v: Variable, digest: Callable[[int, int], str]) -> str:
    if v.value is UNSET or _CUT not in v.value.text:
        return ""
    parts = [(v.address, v.size)] if v.address is not UNSET and v.size is not UNSET else []
    if v.data is not UNSET and v.data.size is not UNSET:
        parts.append((v.data.address, v.data.size))
    made: list[str] = []
    for address, size in parts:
        try:
            made.append(digest(int(address), min(int(size), _COMPARED)))
        except GoprobeError:
            made.append("?")
    return hashlib.blake2b(" ".join(made).encode(), digest_size=16).hexdigest()


def moved(place: Place, a: Variable, b: Variable) -> Moved | None:
    if a.address is UNSET or b.address is UNSET or a.address == b.address:
        return None
    same_distance = False
    if a.location is not UNSET and b.location is not UNSET:
        first, second = a.location.detail, b.location.detail
        same_distance = _same_distance(first, second) and first.get("high") != second.get("high")
    return Moved(place[1], place[0], a.address, b.address, same_distance)


def changed(place: Place, a: Kept, b: Kept) -> Changed | None:
    before, after = _text(a.variable), _text(b.variable)
    first, second = a.variable.data, b.variable.data
    if before == after and first is not UNSET and second is not UNSET and _elsewhere(first, second):
        before, after = f"{before} at {first.address}", f"{after} at {second.address}"
    elif before == after and a.digest != b.digest:
        before, after = f"{before} (bytes {a.digest[:8]})", f"{after} (bytes {b.digest[:8]})"
    return None if before == after else Changed(place[1], place[0], before, after)


def _elsewhere(a: Data, b: Data) -> bool:
    """Whether what a header leads to lies elsewhere, its stack's move left out."""
    if a.address == b.address:
        return False
    return not _same_distance(a.location.detail, b.location.detail)


def _same_distance(a: Mapping[str, object], b: Mapping[str, object]) -> bool:
    return "from_high" in a and a.get("from_high") == b.get("from_high")


def _text(v: Variable) -> str:
    return v.value.text if v.value is not UNSET else v.state.value
