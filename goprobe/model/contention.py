"""Who waited for whom: parts of the report of `goprobe goroutines --contention`."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.sites import SiteFrame

BLOCK, MUTEX = "block", "mutex"


class ContendedSite(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stack, innermost call first, at which goroutines waited (`kind` "block"), or which let
    others wait for a lock until it ended there ("mutex"): how often and for how many cycles of the
    processor's clock, already scaled by the runtime; `delay_us` where it has measured that clock.
    """

    kind: str
    stack: tuple[SiteFrame, ...]
    count: int
    cycles: int
    delay_us: int | UnsetType = UNSET


class Contention(msgspec.Struct, frozen=True, omit_defaults=True):
    """The runtime's profiles of blocking and of locks, most cycles first, all since the start.

    `block_rate` is that of runtime.SetBlockProfileRate in cycles, `mutex_fraction` that of
    SetMutexProfileFraction: 0 where it is off, left out where it is not known. `why` says what is
    missing.
    """

    sites: tuple[ContendedSite, ...]
    block_rate: int | UnsetType = UNSET
    mutex_fraction: int | UnsetType = UNSET
    cycles_per_second: int | UnsetType = UNSET
    why: tuple[str, ...] = ()
