"""The layouts that goprobe ships: one small file per Go minor release, for stripped binaries.

Made by `scripts/make-layouts` from the debug information of each release's own output. Layouts
hardly change within a minor release; the heap's self-check proves the choice on each process.
"""

from __future__ import annotations

from importlib import resources

import msgspec

from goprobe.binary.buildinfo import GoVersion
from goprobe.errors import CannotWorkError
from goprobe.runtime.layout import Layout


def releases() -> tuple[str, ...]:
    """The Go minor releases with a shipped layout ("1.27"), oldest first."""
    folder = resources.files("goprobe.runtime") / "layouts"
    names = [f.name for f in folder.iterdir() if f.name.endswith(".json")]
    found = [n.removeprefix("go").removesuffix(".json") for n in names]
    return tuple(sorted(found, key=lambda n: tuple(map(int, n.split(".")))))


def shipped_layout(go: GoVersion) -> Layout:
    """The layout of a release. Raises CannotWorkError where there is none."""
    name = f"{go.major}.{go.minor}"
    if name not in releases():
        known = releases()
        raise CannotWorkError(
            f"the binary is stripped and was built by {go}; goprobe knows the runtime's layout of "
            f"Go {known[0]} to {known[-1]} only",
            hint="take a nearby release with --assume-go X.Y, and trust only what the self-check "
            "confirms",
        )
    path = resources.files("goprobe.runtime") / "layouts" / f"go{name}.json"
    return msgspec.json.decode(path.read_bytes(), type=Layout)
