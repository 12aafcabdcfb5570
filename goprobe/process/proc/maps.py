"""The mappings of a process, from /proc/PID/maps and /proc/PID/smaps.

Addresses are of the target's address space, sizes in bytes. Everything here raises
TargetGoneError (the process ended), NotPermittedError, or CannotWorkError (a list past any
size that a kernel gives).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from goprobe.errors import CannotWorkError
from goprobe.process.proc.procfs import gone, provides, read_proc

_MAPS_LIMIT = 1 << 28
_SMAPS_LIMIT = 1 << 30
_RESIDENT = (b"Rss", b"Private_Hugetlb", b"Shared_Hugetlb")


class Mapping(msgspec.Struct, frozen=True):
    """One line of /proc/PID/maps: addresses [low, high), `offset` of the file at `low`.

    `path` is as the kernel says it: "" for anonymous memory, "[heap]", "[stack]", "[vdso]",
    "[anon: Go: heap]", a file's path, with its " (deleted)" where the file is gone.
    """

    low: int
    high: int
    perms: str
    offset: int
    device: str
    inode: int
    path: str

    @property
    def size(self) -> int:
        return self.high - self.low

    @property
    def is_file(self) -> bool:
        """Backed by a file of a file system (shared anonymous memory counts as one)."""
        return self.inode != 0 or self.path.startswith("/")

    @property
    def anonymous_name(self) -> str:
        """What the process calls this anonymous memory (PR_SET_VMA_ANON_NAME, Linux 5.17), "" where
        it does not."""
        kind, _, name = self.path.partition(":")
        return name.removesuffix("]") if kind in ("[anon", "[anon_shmem") else ""

    @property
    def usable(self) -> bool:
        """Whether it can be read or written at all."""
        return "r" in self.perms or "w" in self.perms

    def __contains__(self, address: int) -> bool:
        return self.low <= address < self.high


class MappingUse(msgspec.Struct, frozen=True):
    """How much memory a mapping takes: bytes, as smaps counts them.

    `rss` resident, `swap` swapped out. Huge pages of hugetlbfs are resident too, though the
    kernel has sums of their own for them. `pss` and `swap_pss` are its share of either where
    others map it, too.
    """

    mapping: Mapping
    rss: int
    swap: int
    pss: int = 0
    swap_pss: int = 0


def maps_text(pid: int) -> bytes:
    """/proc/PID/maps unparsed: inside a stop, read it now and parse it afterwards."""
    text = read_proc(pid, "maps", _MAPS_LIMIT)
    if not text:
        # A process that has ended but was not waited for, or a kernel thread.
        raise gone(pid)
    return text


def parse_maps(text: bytes) -> tuple[Mapping, ...]:
    return tuple(_parse_line(line) for line in text.split(b"\n") if line)


def read_maps(pid: int) -> tuple[Mapping, ...]:
    """The mappings of a process, lowest address first."""
    return parse_maps(maps_text(pid))


def _parse_line(line: bytes) -> Mapping:
    try:
        span, perms, offset, device, inode, *path = line.split(None, 5)
        low, _, high = span.partition(b"-")
        return Mapping(
            int(low, 16),
            int(high, 16),
            perms.decode("ascii"),
            int(offset, 16),
            device.decode("ascii"),
            int(inode),
            path[0].decode("utf-8", "surrogateescape") if path else "",
        )
    except ValueError:
        raise CannotWorkError(f"a line of /proc/PID/maps makes no sense: {line[:80]!r}") from None


def find(mappings: Sequence[Mapping], address: int) -> Mapping | None:
    """The mapping that holds `address`; `mappings` in address order."""
    at = bisect_right(mappings, address, key=lambda m: m.low)
    if at and address < mappings[at - 1].high:
        return mappings[at - 1]
    return None


def paths_of(pid: int, mapped: Mapping) -> tuple[str, ...]:
    """Where the file of a mapping can be opened: the very one, for root, else by its name in the
    process's root, where another may have taken its place."""
    exact = f"/proc/{pid}/map_files/{mapped.low:x}-{mapped.high:x}"
    return exact, f"/proc/{pid}/root" + mapped.path.replace("\\012", "\n")


def read_smaps(pid: int) -> tuple[MappingUse, ...]:
    """The mappings with what they use, lowest address first. Costs the kernel a page walk."""
    return _uses(pid, "smaps")


def read_rollup(pid: int) -> MappingUse | None:
    """The sums of smaps as the kernel adds them up, which takes it half as long; None where it has
    none (Linux before 4.14)."""
    return _uses(pid, "smaps_rollup")[0] if provides(pid, "smaps_rollup") else None


def _uses(pid: int, name: str) -> tuple[MappingUse, ...]:
    """What such a file says, mapping by mapping."""
    text = read_proc(pid, name, _SMAPS_LIMIT)
    if not text:
        raise gone(pid)
    uses: list[tuple[Mapping, dict[bytes, int]]] = []
    for line in text.split(b"\n"):
        key, colon, rest = line.partition(b":")
        if colon and b" " not in key and b"-" not in key:
            if uses and rest.endswith(b" kB"):
                uses[-1][1][key] = int(rest[:-3]) * 1024
        elif line:
            uses.append((_parse_line(line), {}))
    return tuple(_use(mapping, figures) for mapping, figures in uses)


def _use(mapping: Mapping, figures: dict[bytes, int]) -> MappingUse:
    return MappingUse(
        mapping,
        rss=sum(figures.get(name, 0) for name in _RESIDENT),
        swap=figures.get(b"Swap", 0),
        pss=figures.get(b"Pss", 0),
        swap_pss=figures.get(b"SwapPss", 0),
    )
