"""Types of a heap as people think of them: a map is one row, not its header, tables and groups;
package paths are cut to their last part where that names one package alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.model.heap import TypeCount

_INSIDE = (" directory", " table", " groups", " buckets")
_PATH = re.compile(r"[\w.~-]+(?:/[\w.~-]+)+(?=\.[\w(\[])")


def folded(types: Sequence[TypeCount]) -> list[TypeCount]:
    """Parts of maps in their map's row. What the parts keep the map keeps, too."""
    rows: dict[str, TypeCount] = {}
    headers: dict[str, TypeCount] = {}
    for t in types:
        name = next((t.type.removesuffix(end) for end in _INSIDE if t.type.endswith(end)), t.type)
        if name == t.type:
            headers[name] = t
        row = rows.get(name)
        rows[name] = replace(t, type=name) if row is None else _together(row, t)
    return [
        row if name not in headers else replace(
            row, objects=headers[name].objects, example=headers[name].example
        )
        for name, row in rows.items()
    ]  # fmt: skip


def _together(a: TypeCount, b: TypeCount) -> TypeCount:
    kept = a.retained_bytes
    if kept is not UNSET and b.retained_bytes is not UNSET:
        kept = max(kept, b.retained_bytes, a.bytes + b.bytes)
    return replace(
        a,
        objects=a.objects + b.objects,
        bytes=a.bytes + b.bytes,
        retained_bytes=kept,
        inner=a.inner + b.inner,
    )


def short_paths(names: Sequence[str]) -> dict[str, str]:
    """Each package path in these names, and its last part where no other path ends so."""
    paths = {match for name in names for match in _PATH.findall(name)}
    bare = set(re.findall(r"(?<![\w./~-])([\w~-]+)(?=\.[\w(\[])", " ".join(names)))
    last: dict[str, list[str]] = {}
    for path in paths:
        last.setdefault(path.rpartition("/")[2], []).append(path)
    return {
        path: end
        for end, same in last.items()
        for path in same
        if len(same) == 1 and end not in bare
    }


def shortened(name: str, short: dict[str, str]) -> str:
    return _PATH.sub(lambda match: short.get(match.group(), match.group()), name)
