"""What of a process's memory no setting of Go's reaches: C, files, mappings, tables, the cgroup."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from goprobe.analysis.memory import parts as names
from goprobe.analysis.memory.facts import Facts, words
from goprobe.model.memory import Surprise

_SAYINGS = {
    names.C: (
        "memory that malloc has for C code",
        "Go's collector does not know it: look for C.malloc without C.free; with glibc a smaller "
        "MALLOC_ARENA_MAX keeps less",
    ),
    names.MAPPED: (
        "anonymous memory that is not Go's, nor seen to be malloc's",
        "large blocks of C.malloc, an mmap of C code, or syscall.Mmap of the program",
    ),
    names.FILES: (
        "mapped files",
        "the kernel takes back what is as the files have it; munmap, or madvise(MADV_DONTNEED), "
        "gives it up at once",
    ),
    names.SHARED: (
        "shared memory",
        "it stays until it is unmapped, and what has a name until that is removed, too; nothing "
        "but swap relieves it",
    ),
    names.COPIES: (
        "pages of privately mapped files that were written to",
        "each is a copy that only this process has: map shared, or read-only, what need not differ "
        "from the file",
    ),
    names.OTHER: (
        "anonymous memory that neither Go nor C claims",
        "syscall.Mmap of the program, or of a library of it, made it",
    ),
}
_HUGE_SHARE = 0.5
_TABLES_SHARE = 1 / 128  # a table of 4 KiB for each 2 MiB, were a quarter of each touched
_NEARLY = 0.1  # of a limit: with less left it may be reached any moment


def outside(facts: Facts) -> Iterator[Surprise]:
    """All that may be a surprise, whatever its size."""
    for group, (what, change) in _SAYINGS.items():
        if size := facts.group(group):
            says = f"{words(size)} are {what}{_which(facts, group, size)}"
            if facts.host and group in (names.C, names.MAPPED):
                change = f"{facts.host}, which loaded the Go program, has its own there; {change}"
            yield Surprise(group, size, says, change)
    yield from _tables(facts)
    yield from _swapped(facts)
    yield from _slowed(facts)
    yield from _full(facts)


def _which(facts: Facts, group: str, size: int) -> str:
    """The largest by name, and whether huge pages make it what it is."""
    huge = facts.huge.get(group, 0)
    called = f", most of them {facts.largest(group)}" if group in names.NAMED else ""
    if huge < _HUGE_SHARE * size:
        return called
    return (
        f"{called}, {words(huge)} in huge pages, each of which is there as a whole however little "
        "of it is used"
    )


def _tables(facts: Facts) -> Iterator[Surprise]:
    tables = facts.kernel.page_tables
    if tables is not UNSET:
        yield Surprise(
            "page tables",
            tables - int(facts.kernel.rss * _TABLES_SHARE),
            f"{words(tables)} more are page tables, for {words(facts.kernel.rss)} of memory",
            "little of what is mapped was touched, and that all over: tables are kept until it is "
            "unmapped",
        )


def _swapped(facts: Facts) -> Iterator[Surprise]:
    swap = facts.kernel.swap
    if swap is UNSET:
        return
    of_go = facts.swapped.get(names.GO_HEAP, 0)
    told = f", {words(of_go)} of that of the Go heap" if of_go else ""
    change = "what uses it waits for the disk: give it more memory"
    if of_go:
        change = "each collection waits for the disk: give it more memory, or set GOMEMLIMIT"
    yield Surprise("swap", swap, f"{words(swap)} more are swapped out{told}", change)


def _slowed(facts: Facts) -> Iterator[Surprise]:
    """Beyond memory.high nobody is ended: each allocation waits until memory was taken back
    (Linux Documentation/admin-guide/cgroup-v2.rst)."""
    kernel = facts.kernel
    charge, high = kernel.cgroup, kernel.cgroup_high
    if charge is UNSET or high is UNSET:
        return
    yield Surprise(
        "cgroup",
        charge - int((1 - _NEARLY) * high),
        f"{words(charge)} are charged to its memory cgroup, which is to have {words(high)} "
        "(memory.high)",
        "beyond that the kernel slows down everybody in it, and takes memory back; GOMEMLIMIT "
        "below it has the collector work before",
    )


def _full(facts: Facts) -> Iterator[Surprise]:
    """A cgroup that is near its limit, by whomever."""
    kernel = facts.kernel
    charge, limit, left = kernel.cgroup, kernel.cgroup_limit, kernel.cgroup_left
    if charge is UNSET or limit is UNSET or left is UNSET:
        return
    others = max(charge - kernel.rss, 0)
    yield Surprise(
        "cgroup",
        int(_NEARLY * limit) - left,
        f"{words(left)} are left of the {words(limit)} that its memory cgroup may have; "
        f"{words(charge)} are charged, {words(others)} of that for others in it and caches of "
        "files",
        "at the limit the kernel takes caches back, then ends somebody; GOMEMLIMIT below it has "
        "the collector work before",
    )
