"""Packages that are in several binaries: each of their sites, and each promise, is told once.

(`--static`: a library is looked at in the program that is there, and in one that uses all that it
exports.)
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from goprobe.analysis.escape.judgement import NOT_THERE
from goprobe.analysis.escape.studied import Studied
from goprobe.model.escape import Assertion, Site, Verdict

_Key = tuple[str, int, int, str, str]


def once_each(studies: Sequence[Studied]) -> list[Studied]:
    """A site as it is told of the last binary that has code of it; a promise as it is worst, those
    apart whose code is elsewhere."""
    told: dict[_Key, int] = {}
    alive: set[_Key] = set()
    judged: dict[tuple[str, int, str], tuple[int, Assertion]] = {}
    for number, study in enumerate(studies):
        for site in study.sites:
            key = _key(site)
            if site.verdict is not Verdict.DEAD:
                alive.add(key)
                told[key] = number
            elif key not in alive:
                told[key] = number
        for assertion in study.assertions:
            promise = assertion.file, assertion.line, assertion.text
            known = judged.get(promise)
            if known is None or _badness(assertion) > _badness(known[1]):
                judged[promise] = number, assertion
    return [
        replace(
            study,
            sites=tuple(s for s in study.sites if told[_key(s)] == number),
            assertions=tuple(a for at, a in judged.values() if at == number),
        )
        for number, study in enumerate(studies)
    ]


def _key(site: Site) -> _Key:
    return site.file, site.line, site.col, site.expression, site.prediction


def _badness(assertion: Assertion) -> int:
    if assertion.held:
        return 1
    if assertion.known:
        return 3
    return 0 if assertion.why.startswith(NOT_THERE) else 2
