"""Allocation sites, as parts of the report of `goprobe heap`. Sizes in bytes."""

from __future__ import annotations

import math

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.address import Address


class SiteFrame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function of an allocating stack. `symbol` is the linker's name of it, where that is another
    one (a generic function has one for each shape that it was made for); `start` is the line at
    which it begins."""

    function: str
    file: str
    line: int
    pc: Address
    inlined: bool = False
    symbol: str = ""
    start: int = 0

    @property
    def linked_as(self) -> str:
        return self.symbol or self.function


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the runtime's own profile of the heap was made, and how much is in it.

    One object is sampled for each `rate` bytes allocated (runtime.MemProfileRate), 0 for none, -1
    where that is not known; `linked` is false where the linker turned sampling off, as nothing in
    the program reads the profile. The sites' figures are `scaled` to what was not sampled, and of
    the last collection but for `now_…`, which count all up to this moment. `sampled_objects` were
    sampled and are there. `for_seconds` is for how long goprobe had sampling turned on. `why` says
    what is missing.
    """

    rate: int
    linked: bool
    scaled: bool
    inuse_objects: int
    inuse_bytes: int
    alloc_objects: int
    alloc_bytes: int
    now_objects: int
    now_bytes: int
    sampled_objects: int
    sampled_bytes: int
    for_seconds: float = 0
    why: str = ""


class SiteSize(msgspec.Struct, frozen=True):
    """The objects of one size that a site allocated, as they were sampled: never scaled."""

    size: int
    alloc_objects: int
    inuse_objects: int
    now_objects: int


class SiteType(msgspec.Struct, frozen=True):
    """How many of a site's objects that are there have one type, scaled as the site is."""

    objects: int
    bytes: int


class Holder(msgspec.Struct, frozen=True):
    """Who holds so much of a site's sampled objects, unscaled."""

    name: str
    objects: int
    bytes: int


class Site(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was allocated by one stack, innermost call first: since the start (`alloc_…`) and in
    use, by the last collection and `now_…`.

    The first `allocator` frames are the runtime's own, which pprof leaves out. With --types:
    `types` of the objects that are there, "?" where that is not known. With --retained: what the
    `sampled_objects` of them alone keep, and who holds these.
    """

    stack: tuple[SiteFrame, ...]
    inuse_objects: int
    inuse_bytes: int
    alloc_objects: int
    alloc_bytes: int
    now_objects: int
    now_bytes: int
    sizes: tuple[SiteSize, ...]
    allocator: int = 0
    types: dict[str, SiteType] = {}
    sampled_objects: int | UnsetType = UNSET
    retained_bytes: int | UnsetType = UNSET
    held_by: tuple[str, ...] = ()
    holders: tuple[Holder, ...] = ()


class Allocation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an object was allocated; or `why` that is not known."""

    stack: tuple[SiteFrame, ...] = ()
    allocator: int = 0
    why: str = ""


def scaled(count: int, size: int, rate: int) -> tuple[int, int]:
    """Objects and bytes that so many sampled ones of a size stand for (scaleHeapSample,
    runtime/pprof/protomem.go, Go 1.21 to 1.27: sampling is a Poisson process)."""
    if not count or not size:
        return 0, 0
    if rate <= 1:
        return count, count * size
    factor = 1 / (1 - math.exp(-size / rate))
    return int(count * factor), int(count * size * factor)
