"""Package paths as short as they stay clear."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

_PATH = re.compile(r"[\w.~-]+(?:/[\w.~-]+)+(?=\.[\w(\[])")


def short_paths(names: Iterable[str]) -> dict[str, str]:
    """Each package path in these names, and as many of its last parts as no other path ends in."""
    names = list(names)
    paths = {match for name in names for match in _PATH.findall(name)}
    bare = set(re.findall(r"(?<![\w./~-])([\w~-]+)(?=\.[\w(\[])", " ".join(names)))
    ends = Counter(end for path in (*paths, *bare) for end in _ends(path))
    return {path: next((e for e in _ends(path) if ends[e] == 1), path) for path in paths}


def _ends(path: str) -> Iterator[str]:
    """ "syntax", "regexp/syntax": the shortest first."""
    parts = path.split("/")
    return ("/".join(parts[-n:]) for n in range(1, len(parts) + 1))


def shortened(name: str, short: dict[str, str]) -> str:
    """A name with the paths in it as `short_paths` has them."""
    return _PATH.sub(lambda match: short.get(match.group(), match.group()), name)
