"""`goprobe goroutines --contention`: where goroutines waited, and who let them wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.profiled import call_sites
from goprobe.model.attached import GoroutinesReport
from goprobe.model.contention import BLOCK, MUTEX, ContendedSite, Contention
from goprobe.runtime.profiles.buckets import Kind, held
from goprobe.runtime.profiles.waitprofile import WaitProfile, cycles_per_second, wait_profile
from goprobe.runtime.world import World
from goprobe.target.live import AnyTarget
from goprobe.target.query import query

_TRIES = 3
_SECOND = 1e6  # in microseconds
_NOTING = (
    "the process was in the middle of noting a wait: of one site that wait may be counted without "
    "the time that it took"
)
_TURNED_ON = {
    BLOCK: "the profile of blocking is off (runtime.SetBlockProfileRate)",
    MUTEX: "the profile of locks is off (runtime.SetMutexProfileFraction)",
}


def with_contention(target: AnyTarget, report: GoroutinesReport) -> GoroutinesReport:
    """The report with both profiles, which are read in a short stop of their own.

    Raises what `query` raises.
    """
    pause = report.pause_us
    for _ in range(_TRIES):
        answer = query(target, partial(_contention, live=not target.is_core))
        pause += answer.pause_us
        contention, noting = answer.value
        if not noting or target.is_core:
            break
    return replace(report, contention=contention, pause_us=pause)


def _contention(world: World, *, live: bool) -> tuple[Contention, bool]:
    """Whether a thread was noting a wait, too: it counts it, and then adds how long it took
    (saveBlockEventStack, mprof.go, Go 1.21 to 1.27)."""
    clock = cycles_per_second(world, live=live)
    profiles = {BLOCK: wait_profile(world, Kind.BLOCK), MUTEX: wait_profile(world, Kind.MUTEX)}
    sites = [
        site for kind, profile in profiles.items() for site in _sites(world, kind, profile, clock)
    ]
    block, mutex = (p.rate if p.rate >= 0 else UNSET for p in profiles.values())
    noting = held(world, "profBlockLock")
    contention = Contention(
        sites=tuple(sorted(sites, key=lambda site: -site.cycles)),
        block_rate=block,
        mutex_fraction=mutex,
        cycles_per_second=clock or UNSET,
        why=(*_why(profiles.items()), *((_NOTING,) if noting else ())),
    )
    return contention, noting


def _sites(world: World, kind: str, profile: WaitProfile, clock: int) -> Sequence[ContendedSite]:
    return [
        ContendedSite(
            kind,
            call_sites(world, site.stack)[0],
            site.count,
            site.cycles,
            int(site.cycles / clock * _SECOND) if clock else UNSET,
        )
        for site in profile.sites
    ]


def _why(profiles: Iterable[tuple[str, WaitProfile]]) -> Iterable[str]:
    for kind, profile in profiles:
        if profile.why:
            yield f"what the {kind} profile has is not all known: {profile.why}"
        elif not profile.rate:
            before = ", but was on before" if profile.sites else ""
            yield _TURNED_ON[kind] + before
