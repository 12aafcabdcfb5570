"""The layouts that goprobe ships: one small file per Go minor release, for stripped binaries.

Made by `scripts/make-layouts` from the debug information of each release's own output. Layouts
hardly change within a minor release; the heap's self-check proves the choice on each process.
"""

from __future__ import annotations

from importlib import resources

import msgspec

from goprobe.binary.elf.buildinfo import GoVersion
from goprobe.errors import CannotWorkError
from goprobe.runtime.layout.layout import Field, Layout, StructLayout


class _Change(msgspec.Struct, frozen=True):
    """A struct that grew between patch releases: fields from `at` on lie `by` bytes further on in
    what is not shipped. Patch releases that are known to be of the one kind and of the other."""

    struct: str
    at: int
    by: int
    shipped: int
    other: int


# m.allpSnapshot, a slice (runtime2.go), is in Go 1.23.12 and in 1.24.11, but not in 1.23.9, 1.24.3
# and 1.24.4. The layouts shipped are those of 1.23.9 and 1.24.11.
_CHANGES = {
    (1, 23): _Change("m", 296, 24, shipped=9, other=12),
    (1, 24): _Change("m", 320, -24, shipped=11, other=4),
}


_LINE_TABLE = (1, 20)
"""Since when programs have the line table that can be read (magic 0xfffffff1, go120magic,
src/debug/gosym/pclntab.go): whatever release is assumed, an older one has another."""

_RANKED = "staticlockranking"  # runtime/lockrank_on.go, Go 1.21 to 1.27


def releases() -> tuple[str, ...]:
    """The Go minor releases with a shipped layout ("1.27"), oldest first."""
    folder = resources.files("goprobe.runtime") / "layouts"
    names = [f.name for f in folder.iterdir() if f.name.endswith(".json")]
    versions = [n.removeprefix("go").removesuffix(".json") for n in names]
    return tuple(sorted(versions, key=lambda n: tuple(map(int, n.split(".")))))


def shipped_layout(go: GoVersion) -> Layout:
    """The layout of a release. Raises CannotWorkError where there is none."""
    name = f"{go.major}.{go.minor}"
    if name not in releases():
        known = releases()
        raise CannotWorkError(
            f"the binary is stripped and was built by {go}; goprobe knows the runtime's layout of "
            f"Go {known[0]} to {known[-1]} only",
            hint="take a nearby release with --assume-go X.Y, and trust only what the self-check "
            "confirms"
            if (go.major, go.minor) >= _LINE_TABLE
            else f"what Go before 1.20 built cannot be read: build it with Go {known[0]} or later",
        )
    path = resources.files("goprobe.runtime") / "layouts" / f"go{name}.json"
    return msgspec.json.decode(path.read_bytes(), type=Layout)


def shipped_layouts(go: GoVersion, experiments: str = "") -> tuple[Layout, ...]:
    """All that a release's layout may be, the likeliest first: structs have changed between patch
    releases, and a binary does not always say which one it is of. `experiments` are those that it
    was built with (GOEXPERIMENT). Raises CannotWorkError."""
    if _RANKED in experiments.split(","):
        raise CannotWorkError(
            f"the binary is stripped and was built with GOEXPERIMENT={_RANKED}: each lock of the "
            "runtime has a rank then, and where its structs have their fields only debug "
            "information tells",
            hint="build it without -s and -w",
        )
    shipped = shipped_layout(go)
    change = _CHANGES.get((go.major, go.minor))
    if change is None:
        return (shipped,)
    other = _changed(shipped, change)
    near = abs(go.patch - change.shipped) <= abs(go.patch - change.other)
    return (shipped, other) if near else (other, shipped)


def _changed(layout: Layout, change: _Change) -> Layout:
    old = layout.struct(change.struct)
    fields = {
        name: Field(f.offset + change.by * (f.offset >= change.at), f.size, f.type)
        for name, f in old.fields.items()
    }
    grown = StructLayout(old.name, old.size + change.by, fields)
    return Layout(layout.go, {**layout.structs, change.struct: grown}, dict(layout.constants))
