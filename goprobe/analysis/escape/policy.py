"""`--fail-on`: what makes a report a failure, besides broken promises and contradictions."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from goprobe.errors import UsageError
from goprobe.model.escape import Change, ChangeKind, EscapeReport, Verdict

NEW_HEAP = "new-heap"
MORE = "more-allocations"
_PERCENT = re.compile(rf"{MORE}(?:=(\d{{1,6}}(?:\.\d{{1,6}})?)%?)?")


class Policy(msgspec.Struct, frozen=True):
    """`growth` is the part of its objects by which a place may grow, None where it may at will."""

    verdicts: frozenset[Verdict] = frozenset()
    new_heap: bool = False
    growth: float | None = None

    @property
    def compares(self) -> bool:
        """Whether there is something to hold against an older report."""
        return self.new_heap or self.growth is not None

    def fails(self, change: Change) -> bool:
        if change.by_chance:
            return False
        if self.new_heap and change.kind in (ChangeKind.NEW, ChangeKind.TO_HEAP):
            return True
        if self.growth is None or change.allocations <= max(change.allocations_before, 0):
            return False
        return change.allocations > change.allocations_before * (1 + self.growth)

    def failed(self, report: EscapeReport) -> bool:
        bad = self.verdicts | {Verdict.CONTRADICTED}
        return any(site.verdict in bad for site in report.sites) or any(
            change.fails for comparison in report.comparisons for change in comparison.changes
        )


def policy(text: str) -> Policy:
    """Raises UsageError for a word that it does not know."""
    words = [w.strip() for w in text.split(",") if w.strip()]
    growths = [m for w in words if (m := _PERCENT.fullmatch(w))]
    rest = [w for w in words if w != NEW_HEAP and not _PERCENT.fullmatch(w)]
    changes = f"changes: {NEW_HEAP}, {MORE}=5%; "
    return Policy(
        verdicts(rest, "--fail-on", changes),
        NEW_HEAP in words,
        float(growths[-1][1] or 0) / 100 if growths else None,
    )


def verdicts(words: Iterable[str], option: str, besides: str = "") -> frozenset[Verdict]:
    """Raises UsageError for a word that is none, naming `besides` what the option takes more."""
    made = set()
    for word in filter(None, (w.strip() for w in words)):
        try:
            made.add(Verdict(word))
        except ValueError:
            raise UsageError(
                f"{option} knows no verdict {word!r}",
                hint=f"{besides}verdicts: {', '.join(Verdict)}",
            ) from None
    return frozenset(made)
