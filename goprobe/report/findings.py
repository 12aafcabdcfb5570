"""What a report of `goprobe escape` finds fault with, for those who read nothing else.

In a pull request only failures are of interest: broken promises and contradictions, what fails by
--fail-on, what the compiler promised and did not keep, and what allocates since the baseline.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from enum import IntEnum

import msgspec
from msgspec import UNSET

from goprobe.model.escape import Assertion, Change, ChangeKind, EscapeReport, Site, SourceLine
from goprobe.report.changewords import told
from goprobe.report.verdicts import LOUDNESS, Loudness, words

PROMISE, NOT_KNOWN, DANGLING, TESTS = "promise", "promise-not-known", "dangling", "tests-failed"
NEW_HEAP, MORE = "new-heap", "more-allocations"
_RULES_OF_CHANGES = {
    ChangeKind.NEW: NEW_HEAP,
    ChangeKind.TO_HEAP: NEW_HEAP,
    ChangeKind.MORE: MORE,
    ChangeKind.LARGER: MORE,
}


class Level(IntEnum):
    WARNING = 1
    ERROR = 2


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`file` is relative to the repository's root, absolute outside of it, "" where there is no
    place. `width` is how many characters at `col` it speaks of, 0 where that is not known: of what
    is no name the compiler gives a place inside, and its own spelling. `identity` are the words
    that stay its own when lines move. `chain` are the calls that lead from the promise to what
    breaks it."""

    rule: str
    level: Level
    title: str
    message: str
    file: str = ""
    line: int = 0
    col: int = 0
    width: int = 0
    identity: tuple[str, ...] = ()
    chain: tuple[SourceLine, ...] = ()


def findings(report: EscapeReport) -> list[Finding]:
    """The gravest first, then in the order of the source."""
    made = [*_promises(report), *_sites(report), *_changes(report), *_rest(report)]
    placed = [msgspec.structs.replace(f, file=from_root(report, f.file)) for f in made]
    return sorted(placed, key=lambda f: (-f.level, f.file, f.line, f.col))


def from_root(report: EscapeReport, file: str) -> str:
    """A path of the report as seen from the repository's root."""
    if not file or not report.folder:
        return file
    path = os.path.normpath(f"{report.folder}/{file}" if not file.startswith("/") else file)
    prefix = report.root.rstrip("/") + "/"
    return path.removeprefix(prefix)


def _promises(report: EscapeReport) -> Iterator[Finding]:
    for promise in report.assertions:
        if promise.held:
            continue
        known = promise.known
        yield Finding(
            rule=PROMISE if known else NOT_KNOWN,
            level=Level.ERROR,
            title=f"goprobe:{promise.text} is {'broken' if known else 'not known to hold'}",
            message=promise.why,
            file=promise.file,
            line=promise.line,
            identity=(promise.text,),
            chain=_chain(promise),
        )


def _chain(promise: Assertion) -> tuple[SourceLine, ...]:
    if promise.proof is UNSET:
        return ()
    holes = promise.proof.holes
    return promise.proof.chain or (holes[0].chain if holes else ())


def _sites(report: EscapeReport) -> Iterator[Finding]:
    for site in report.sites:
        loud = LOUDNESS[site.verdict]
        if site.verdict in report.fail_on or loud is Loudness.ALARM:
            yield _site(site, Level.ERROR)
        elif loud is Loudness.WARNING:
            yield _site(site, Level.WARNING)


def _site(site: Site, level: Level) -> Finding:
    return Finding(
        rule=site.verdict.value,
        level=level,
        title=f"{words(site.verdict)}: {site.expression}",
        message=site.reason,
        file=site.file,
        line=site.line,
        col=site.col,
        width=len(site.expression) if site.expression.isidentifier() else 0,
        identity=(site.function, site.expression),
    )


def _changes(report: EscapeReport) -> Iterator[Finding]:
    for comparison in report.comparisons:
        for change in comparison.changes:
            rule = _RULES_OF_CHANGES.get(change.kind)
            if rule is not None and not change.by_chance:
                yield _change(change, rule, comparison.against)


def _change(change: Change, rule: str, against: str) -> Finding:
    return Finding(
        rule=rule,
        level=Level.ERROR if change.fails else Level.WARNING,
        title=f"{change.expression} in {change.function.rpartition('/')[2]}",
        message=f"{told(change)} (since {against})",
        file=change.file,
        line=change.line,
        identity=(change.function, change.expression),
    )


def _rest(report: EscapeReport) -> Iterator[Finding]:
    for pointer in report.dangling:
        yield Finding(
            rule=DANGLING,
            level=Level.ERROR,
            title="pointer into a stack",
            message=f"{pointer.source} points at {pointer.target} ({pointer.when})",
            file=pointer.file,
            line=pointer.line,
            identity=(pointer.source,),
        )
    if report.failed:
        yield Finding(rule=TESTS, level=Level.ERROR, title="tests failed", message=report.failed)


def numbered(made: Sequence[Finding]) -> Iterator[tuple[Finding, int]]:
    """Each with its number among those of the same identity in one file."""
    seen: dict[tuple[str, ...], int] = {}
    for finding in sorted(made, key=lambda f: (f.file, f.line, f.col)):
        key = finding.rule, finding.file, *finding.identity
        seen[key] = seen.get(key, -1) + 1
        yield finding, seen[key]
