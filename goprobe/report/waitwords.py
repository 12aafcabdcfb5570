"""What goroutines wait on in words, which every format uses."""

from __future__ import annotations

from msgspec import UNSET

from goprobe.model.attached import CallSite, Deadlock, GoroutineGroup, WaitsOn
from goprobe.report import words

_MOST_NAMED = 12
PLAIN = ("collector", "runtime", "coroutine", "nothing")
"""Kinds that the state of the goroutine itself has told already."""


def deadlocked(deadlock: Deadlock) -> str:
    """ "deadlock: goroutines 7 and 8 wait for each other"."""
    ids = [str(number) for number in deadlock.goroutines]
    kind = "possible deadlock" if deadlock.possible else "deadlock"
    may = "may " if deadlock.possible else ""
    if len(ids) == 1:
        return f"{kind}: goroutine {ids[0]} {'may wait' if may else 'waits'} for itself"
    who = words.counted(len(ids), "goroutine")
    if len(ids) <= _MOST_NAMED:
        who = f"goroutines {words.listed(ids)}"
    return f"{kind}: {who} {may}wait for each other"


def ages(group: GoroutineGroup) -> str:
    """ "for 2 min", "for 2 min to 14 min", since when its goroutines wait; "" where none does."""
    least, most = group.least_waiting_us, group.most_waiting_us
    if least is UNSET or most is UNSET:
        return ""
    shortest, longest = words.duration(least), words.duration(most)
    return f"for {shortest}" + ("" if shortest == longest else f" to {longest}")


def stands_at(group: GoroutineGroup) -> CallSite | None:
    """The innermost frame of the program's own, or else of any; None where none is told."""
    innermost = group.frames[0] if group.frames else None
    return next((frame for frame in group.frames if frame.own), innermost)


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
        full = f"{waits.length} of {words.counted(waits.capacity, 'element')}"
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


_OWNING = {
    "lock": "locked by",
    "read lock": "read-locked by",
    "done": "to be ended by Done of",
}


def owned(waits: WaitsOn, most: int) -> list[str]:
    """ "locked by goroutine 8: main.b locked it at b.go:20", "may be locked by goroutine 9: …"."""
    told = []
    for owner in waits.owners[:most]:
        may = "" if owner.certain else "may be "
        told.append(
            f"{may}{_OWNING[owner.operation]} goroutine {owner.goroutine}: {owner.evidence}"
        )
    if left := len(waits.owners) - most:
        told += [f"and by {words.number(left)} more"] if left > 0 else []
    return told


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
