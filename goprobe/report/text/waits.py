"""What goroutines wait on, and who has it, in text: of one goroutine, or of a group of them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from goprobe.model.attached import Deadlock, WaitsOn
from goprobe.report import words
from goprobe.report.text.goroutinelines import INDENT
from goprobe.report.text.page import Page

_MOST_CASES = 4
_MOST_HOLDERS = 3
_MOST_DEADLOCKS = 10
_MOST_STEPS = 12
_PLAIN = ("collector", "runtime", "coroutine", "nothing")
"""Kinds that the state of the goroutine itself has told already."""


def waits_on(
    page: Page, waits: Sequence[WaitsOn], *, several: bool = False, only: bool = False
) -> None:
    """`several`: they are those of a group; `only`: nobody else has them."""
    telling = [w for w in waits if w.kind not in _PLAIN]
    most = max((w.count for w in telling), default=0)
    shown = telling if page.options.verbose else telling[:_MOST_CASES]
    for each in shown:
        count = (
            f"{words.number(each.count)} on " if several and len(telling) > 1 and most > 1 else ""
        )
        told = f"{count}{waited(each)}"
        if each.why:
            told += f": {each.why}"
        page.paragraph(told, indent=INDENT * 2, hanging=INDENT)
        if who := held(each, most=None if page.options.verbose else _MOST_HOLDERS):
            by = "held only by" if only else "held by"
            page.paragraph((f"{by} {who}", "dim"), indent=INDENT * 3, hanging=INDENT)
    if more := len(telling) - len(shown):
        page.line((f"and on {words.number(more)} more", "dim"), indent=INDENT * 2)


def waited(waits: WaitsOn) -> str:
    """ "receive from channel 0xc000012345 main.server.queue (chan int, 0 of 4 elements)"."""
    if waits.kind == "syscall":
        return f"system call {waits.call}" if waits.call else "a system call"
    if waits.kind == "timer":
        return f"timer{_fires(waits)}"
    if waits.kind == "descriptor":
        return _descriptor(waits)
    address = "" if waits.address is UNSET else f" {waits.address}"
    name = f" {waits.name}" if waits.name else ""
    facts = [waits.type] if waits.type else []
    if waits.capacity is not UNSET:
        full = f"{waits.length} of {waits.capacity} elements"
        facts.append(full if waits.capacity else "no buffer")
    if waits.state:
        facts.append(waits.state)
    of = f" ({', '.join(facts)})" if facts else ""
    return f"{_doing(waits)}{waits.kind}{address}{name}{of}{_fires(waits)}"


def held(waits: WaitsOn, most: int | None = None) -> str:
    """ "main.work: jobs (goroutine 7), main.queue and 90 more"."""
    names = list(dict.fromkeys(waits.held_by))
    shown = names[:most]
    left = len(names) - len(shown) + waits.more_holders
    return ", ".join(shown) + (f" and {words.number(left)} more" if left and shown else "")


def deadlocks(page: Page, every: Sequence[Deadlock]) -> None:
    """ "deadlock: goroutines 7 and 8 wait for each other", and how."""
    for deadlock in every[:_MOST_DEADLOCKS]:
        ids = [str(number) for number in deadlock.goroutines]
        many = len(ids) > _MOST_STEPS
        who = f"{len(ids)} goroutines" if many else f"goroutines {words.listed(ids)}"
        waits = "wait for each other" if len(ids) > 1 else "waits for itself"
        who = who if len(ids) > 1 else f"goroutine {ids[0]}"
        page.blank()
        page.paragraph((f"deadlock: {who} {waits}", "bold red"), hanging=INDENT)
        for step in deadlock.steps[:_MOST_STEPS]:
            page.paragraph(step, indent=INDENT, hanging=INDENT)
        if (more := len(deadlock.steps) - _MOST_STEPS) > 0:
            page.line((f"and {more} more", "dim"), indent=INDENT)
    if len(every) > _MOST_DEADLOCKS:
        page.line(f"and {len(every) - _MOST_DEADLOCKS} more deadlocks")


_DOING = {"send": "send to ", "receive": "receive from "}


def _doing(waits: WaitsOn) -> str:
    if waits.kind == "channel":
        return _DOING.get(waits.operation, "")
    return f"{waits.operation} " if waits.operation in ("read lock",) else ""


def _fires(waits: WaitsOn) -> str:
    if waits.fires_in_us is UNSET:
        return ""
    every = "" if waits.every_us is UNSET else f", every {words.duration(waits.every_us)}"
    if waits.fires_in_us < 0:
        return f", due since {words.duration(-waits.fires_in_us)}{every}"
    return f", fires in {words.duration(waits.fires_in_us)}{every}"


def _descriptor(waits: WaitsOn) -> str:
    """ "read from descriptor 7: tcp 127.0.0.1:80 from 127.0.0.1:4312"."""
    if waits.descriptor is UNSET:
        return "a descriptor"
    verb = "write to" if waits.operation == "write" else "read from"
    ends = f" {waits.local}" if waits.local else ""
    if waits.remote:
        ends += f" to {waits.remote}"
    elif waits.local and waits.type == "tcp":
        ends += ", listening"
    leads = f": {waits.type}{ends}" if waits.type else ""
    return f"{verb} descriptor {waits.descriptor}{leads}"
