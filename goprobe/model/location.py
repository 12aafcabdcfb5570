"""Where an address lies, and how that is known."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from goprobe.model.address import Address


class RuntimeUse(StrEnum):
    """What memory of the runtime's own is for, where more than one file has to know: as regions
    are labelled, and as `what` in the detail of a location."""

    FREE_PAGES = "free heap pages"
    SCAVENGED_PAGES = "scavenged heap pages"
    FREE_STACKS = "free stacks and work buffers"
    FREE_MANUAL_SPAN = "manually managed span (free stack or GC work buffers)"
    STACK_CACHE = "stack cache"
    UNIDENTIFIED = "unidentified"


class CMemory(StrEnum):
    """Whose memory of kind `c_heap` is, as regions are labelled, and as locations are named."""

    BRK = "C heap (brk)"
    ARENA = "arena of malloc (glibc)"
    LARGE_BLOCK = "large block of malloc (glibc)"
    MAPPED = "malloc or mmap, of C code or of the program"


class Kind(StrEnum):
    """What memory at an address is for. The contract fixes these names."""

    TEXT = "text"
    RODATA = "rodata"
    DATA = "data"
    BSS = "bss"
    HEAP = "heap"
    GOROUTINE_STACK = "goroutine_stack"
    SYSTEM_STACK = "system_stack"
    RUNTIME = "runtime"
    C_HEAP = "c_heap"
    LIBRARY = "library"
    FILE = "file"
    VDSO = "vdso"
    RESERVED = "reserved"
    UNMAPPED = "unmapped"


PLACES: dict[Kind, str] = {
    Kind.TEXT: "in the program's code",
    Kind.RODATA: "in the binary's read-only data",
    Kind.DATA: "among the binary's globals",
    Kind.BSS: "among the binary's globals",
    Kind.HEAP: "on the heap",
    Kind.GOROUTINE_STACK: "on a goroutine's stack",
    Kind.SYSTEM_STACK: "on a thread's system stack",
    Kind.RUNTIME: "in the runtime's own memory",
    Kind.C_HEAP: "in memory of C, or mapped by the program",
    Kind.LIBRARY: "in a shared library",
    Kind.FILE: "in a mapped file",
    Kind.VDSO: "in the kernel's vdso",
    Kind.RESERVED: "in reserved address space",
    Kind.UNMAPPED: "in no memory at all",
}
"""Where memory of each kind is, as a sentence says it."""

if TYPE_CHECKING:
    Detail = dict[str, str | int | bool | Address]
else:
    # What msgspec decodes and makes a schema of: it takes no union with a type of our own, and
    # in JSON an address is a string anyway.
    Detail = dict[str, str | int | bool]


class Location(msgspec.Struct, frozen=True):
    """One identity of an address.

    `name` is the short human answer ("main's stack, 0x58 below the top"); `detail` holds the
    facts that the contract names for this kind; `evidence` the facts that led to the kind,
    most decisive first.
    """

    kind: Kind
    address: Address
    name: str
    detail: Detail
    evidence: tuple[str, ...]

    def __hash__(self) -> int:
        return hash((self.kind, self.address, self.name))

    def __str__(self) -> str:
        return f"{self.name} ({self.address})"


class Region(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A run of addresses [low, high) with one meaning to Go; `size` in bytes.

    `perms` is the kernel's ("r-xp"); `rss` the resident bytes, where they were read, and `stored`
    those that a core file has of it: what was resident no core file tells.
    """

    low: Address
    high: Address
    perms: str
    kind: Kind
    label: str
    size: int
    rss: int | msgspec.UnsetType = msgspec.UNSET
    stored: int | msgspec.UnsetType = msgspec.UNSET
    detail: Detail | msgspec.UnsetType = msgspec.UNSET
