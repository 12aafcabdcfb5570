"""What holds of `goprobe goroutines`: stacks, threads and groups against one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from msgspec import UNSET

from goprobe.analysis.audit import audited, check
from goprobe.counts import counted
from goprobe.model.attached import GoroutinesReport, GoroutineState
from goprobe.model.report import Audited


@check("no two goroutines have stacks that overlap")
def stacks_apart(report: GoroutinesReport) -> Iterator[str]:
    ordered = sorted((g for g in report.goroutines if g.stack.low), key=lambda g: g.stack.low)
    for g in ordered:
        if g.stack.low >= g.stack.high:
            yield f"the stack of goroutine {g.id} ends before it begins: {_stack(g)}"
    for a, b in pairwise(ordered):
        if b.stack.low < a.stack.high:
            yield f"the stacks of goroutines {a.id} and {b.id} overlap: {_stack(a)}, {_stack(b)}"


@check("every goroutine's stack pointer lies in its stack")
def stacks_hold_sp(report: GoroutinesReport) -> Iterator[str]:
    for g in report.goroutines:
        if not g.stack.used and g.frames_end is not UNSET:
            continue  # nothing says where it stands
        if not 0 < g.stack.used <= g.stack.high - g.stack.low:
            yield f"{g.stack.used} bytes of goroutine {g.id}'s stack {_stack(g)} are in use"


@check("a goroutine is listed once, and a thread runs one at a time")
def one_each(report: GoroutinesReport) -> Iterator[str]:
    ids = [g.id for g in report.goroutines]
    for number, count in Counter(ids).items() if len(set(ids)) < len(ids) else ():
        if count > 1:
            yield f"goroutine {number} is listed {counted(count, 'time')}"
    for thread, count in Counter(g.thread for g in report.goroutines if g.thread).items():
        if count > 1:
            yield f"thread {thread} is said to run {counted(count, 'goroutine')}"


@check("a Go program has goroutines")
def some_at_all(report: GoroutinesReport) -> Iterator[str]:
    # The runtime's own live as long as the process (runtime/proc.go: main starts them).
    if not report.goroutines and not report.chosen:
        dead = f", but for {report.dead} dead ones" if report.dead else ""
        yield f"the runtime lists no goroutine{dead}, and a Go program that has begun has some"


@check("the groups have every goroutine once")
def groups_add_up(report: GoroutinesReport) -> Iterator[str]:
    if not report.groups:
        return
    ids = sorted(number for group in report.groups for number in group.ids)
    if ids != sorted([g.id for g in report.goroutines]):
        yield f"the groups name {len(ids)} goroutines, {len(report.goroutines)} are listed"
    for group in report.groups:
        if group.count != len(group.ids):
            yield f"a group of {group.count} names {counted(len(group.ids), 'goroutine')}"


def _stack(g: GoroutineState) -> str:
    return f"[{g.stack.low}, {g.stack.high})"


def audit_goroutines(report: GoroutinesReport) -> tuple[Audited, ...]:
    return audited((stacks_apart, stacks_hold_sp, one_each, some_at_all, groups_add_up), report)
