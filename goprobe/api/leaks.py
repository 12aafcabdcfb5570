"""`goprobe.assert_no_leaks` for test suites.

goprobe.assert_no_leaks(server.pid)   # AssertionError, with where they stand, where any is lost
"""

from __future__ import annotations

from msgspec import UNSET

from goprobe.analysis.waits.waits import leaked
from goprobe.api.process import Process
from goprobe.counts import noun
from goprobe.model.attached import GoroutineGroup, GoroutinesReport
from goprobe.target.live import open_target

_SHOWN = 10


def assert_no_leaks(pid: int | Process, *, assume_go: str = "") -> GoroutinesReport:
    """Raises AssertionError where goroutines of the process can never run again; else returns the
    report, which has those of which that cannot be told. It is named by its pid, or as `attach` and
    `start` give it.

    Raises what `attach` raises, and what `goprobe goroutines --leaked` ends with.
    """
    own = pid.pid if isinstance(pid, Process) else pid
    report = leaked(open_target(own, assume_go=assume_go))
    if report.leaks is not UNSET and report.leaks.leaked:
        groups = [group for group in report.groups if group.leaked]
        told = [_told(group) for group in groups[:_SHOWN]]
        if more := groups[_SHOWN:]:
            told.append(f"and {_goroutines(sum(group.count for group in more))} more")
        lost = report.leaks.leaked
        who = f"{_goroutines(lost)} {'is' if lost == 1 else 'are'} leaked"
        raise AssertionError(f"{who}:\n" + "\n".join(told))
    return report


def _told(group: GoroutineGroup) -> str:
    """ "3 goroutines in main.work (pool.go:20), chan send, created by main.Submit (pool.go:12)"."""
    own = next((f for f in group.frames if not f.function.startswith(("runtime.", "sync."))), None)
    place = f" in {own.function} ({own.file}:{own.line})" if own else ""
    made = "".join(f", created by {c.function} ({c.file}:{c.line})" for c in group.created[:1])
    return f"{_goroutines(group.count)}{place}, {group.wait_reason}{made}: {group.why}"


def _goroutines(count: int) -> str:
    return f"{count} {noun(count, 'goroutine')}"
