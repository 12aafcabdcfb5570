"""What comes of measuring a claim: a verdict, the fact in a sentence, and what shows it."""

from __future__ import annotations

import msgspec

from goprobe.model.explain import Claim, ClaimVerdict
from goprobe.model.location import Region

HOLDS, DIFFERS = ClaimVerdict.HOLDS, ClaimVerdict.DIFFERS

Evidence = tuple[str, *tuple[str, ...]]
"""One fact at least: nothing is measured without."""


class Measured(msgspec.Struct, frozen=True):
    """`told` is the fact in one sentence, with numbers."""

    verdict: ClaimVerdict
    told: str
    evidence: Evidence

    def of(self, number: int, claim: str) -> Claim:
        return Claim(str(number), claim, self.verdict, self.told, self.evidence)


def decided(holds: object, told: str, first: str, *more: str) -> Measured:
    """A claim that was measured, with the facts that decide it."""
    return Measured(HOLDS if holds else DIFFERS, told, (first, *more))


def unseen(why: str, first: str, *more: str) -> Measured:
    """A claim that cannot be measured, with what was looked at in vain."""
    return Measured(ClaimVerdict.NOT_OBSERVABLE, why, (first, *more))


def described(region: Region) -> str:
    return f"[{region.low}, {region.high}) {region.perms} {region.label}"


def distance(size: int) -> str:
    units = ["KiB", "MiB", "GiB", "TiB"]
    value = size / 1024
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}"
