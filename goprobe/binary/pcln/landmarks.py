"""The Go release of a runtime, told by the functions that it has.

Each release brings functions that every program has, whatever its build, and that no release before
it had: found by comparing the line tables of programs built by Go 1.21 to 1.27, first and last
patch releases. A test holds the list against every toolchain.
"""

from __future__ import annotations

from goprobe.binary.pcln.table import LineTable

_SINCE = {
    21: ("runtime.doInit1",),  # proc.go: inits of packages as a list of the linker's
    22: ("runtime.forEachPInternal", "runtime.readTimeRandom"),  # proc.go, rand.go
    23: ("runtime.(*timers).check", "runtime.itabInit"),  # time.go, iface.go
    24: ("runtime.buildGCMask", "runtime.mallocgcSmallScanNoHeader"),  # type.go, malloc.go
    25: ("runtime.gcPrepareMarkRoots", "runtime.runFinalizers"),  # mgcmark.go, mfinal.go
    26: ("runtime.gcNextMarkRoot", "runtime.allGsSnapshotSortedForGC"),  # mgcmark.go, proc.go
    27: ("runtime.addModuleItabs", "runtime.moduleTypelinks"),  # iface.go, type.go
}
NEWEST = max(_SINCE)


def minor_release(table: LineTable) -> int:
    """27 for Go 1.27 and what comes after it; 0 where the functions fit no release."""
    known = {minor: _has(table, names) for minor, names in _SINCE.items()}
    newest = max((minor for minor, has in known.items() if has), default=0)
    return newest if all(known[minor] for minor in known if minor <= newest) else 0


def _has(table: LineTable, names: tuple[str, ...]) -> bool:
    return all(table.name_offset(name) >= 0 for name in names)
