"""What goprobe said, against what the program said of itself before and after.

A goroutine that both accounts tell the same of stood still in between, and is compared in all. Of
the others (busy ones, the collector's workers, main itself, which bears witness) only what cannot
have changed is.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from goprobe.model.attached import GoroutineState
from scripts.truths.answer import Answer, equal, not_told, right, wrong
from scripts.truths.goroutines.addresses import addresses
from scripts.truths.goroutines.dump import Printed
from scripts.truths.goroutines.tracing import frames
from scripts.truths.goroutines.witness import Asked, Witness

_DURABLE = " (durable)"  # said of some states in a synctest bubble, part of others' names
_MINUTE = 60_000_000


def compared(witness: Witness, asked: Asked) -> Iterator[Answer]:
    yield from _which(witness, asked)
    yield from _count(witness, asked)
    again = {g.id: g for g in asked.again}
    for g in asked.report.goroutines:
        if g.id in witness.all:
            yield from _goroutine(witness, g, asked)
        if g.id in again and witness.still(g.id):
            yield _same(g, again[g.id])
    yield from addresses(witness, asked)


def _which(witness: Witness, asked: Asked) -> Iterator[Answer]:
    told = {g.id for g in asked.report.goroutines}
    before, after, last = (set(x) for x in (witness.before.users, witness.after.users, witness.all))
    if not last:  # it was killed before it had told of itself
        yield not_told("goroutines", "the program's last words are missing")
        return
    there, ever = before & after & last, before | after | last
    if missing := sorted(there - told):
        yield wrong("goroutines", truth=f"{missing} are there", told="not told")
    if extra := sorted(told - ever):
        yield wrong("goroutines", truth=f"no goroutines {extra}", told="told")
    if len(told) != len(asked.report.goroutines):
        yield wrong("goroutines", truth="each once", told="some twice")
    yield right("goroutines")


def _count(witness: Witness, asked: Asked) -> Iterator[Answer]:
    """NumGoroutine counts as runtime.Stack does, but for those that run finalizers and cleanups:
    what a goroutine counts as was decided when it was made (newproc1, src/runtime/proc.go). Where
    such a one has ended by runtime.Goexit the runtime's own count is off by one for good."""
    before, after = witness.before, witness.after
    made = [witness.all[i].created_by for i in before.users if i in witness.all]
    printed = sum(not by.startswith("runtime.") for by in made)
    if printed == before.count == after.count:
        users = [g for g in asked.report.goroutines if not g.system]
        told = sum(not g.created_by.startswith("runtime.") for g in users)
        yield equal("NumGoroutine", before.count, told)


def _goroutine(witness: Witness, g: GoroutineState, asked: Asked) -> Iterator[Answer]:
    name, last = f"goroutine {g.id}", witness.all[g.id]
    yield equal(f"{name}: locked", last.locked, g.locked)
    system = witness.one_of_the_runtime(g.id)
    if system is not None:
        yield equal(f"{name}: of the runtime", system, g.system)
    # What runs while the program dies may be printed in part; functions of the runtime that made
    # others are left out until then.
    made = last if last.created_by else witness.before.users.get(g.id, last)
    if g.id != 1 and (made.created_by or witness.still(g.id)):
        yield equal(f"{name}: created by", made.created_by, g.created_by)
        yield equal(f"{name}: parent", made.parent, g.parent)
        at = g.created_at
        told = (at.file, at.line) if at is not UNSET else ("", 0)
        yield equal(f"{name}: created at", made.created_at, told)
    yield from frames(name, witness, g)
    labels = witness.before.labels.get(g.id)
    if labels is not None and labels == witness.after.labels.get(g.id):
        tagged = g.why_no_labels or " ".join(f"{k}={v}" for k, v in g.labels.items())
        yield equal(f"{name}: labels", labels, tagged)
    if not witness.still(g.id):
        if g.id == 1:
            yield equal(f"{name}: state", "syscall", _state(g))
        return
    yield _held(name, last, g)
    yield equal(f"{name}: state", last.state.removesuffix(_DURABLE), _state(g))
    yield _waits(witness, g, asked)
    user = witness.before.users.get(g.id)
    if user is not None and user.frames:
        yield equal(f"{name}: stands in", user.frames[0].function, g.function)


def _state(g: GoroutineState) -> str:
    return (g.wait_reason or g.status).removesuffix(_DURABLE)


def _held(name: str, last: Printed, g: GoroutineState) -> Answer:
    """Its frames lie on its stack."""
    pointers = [f.sp for f in last.frames if f.sp]
    low, high = int(g.stack.low), int(g.stack.high)
    if outside := [hex(p) for p in pointers if not low <= p < high]:
        return wrong(f"{name}: stack", truth=f"frames at {outside}", told=f"[{low:#x}, {high:#x})")
    if pointers and high - g.stack.used > min(pointers):
        return wrong(f"{name}: stack", truth=f"sp {min(pointers):#x}", told=f"{g.stack.used} used")
    return right(f"{name}: stack")


def _waits(witness: Witness, g: GoroutineState, asked: Asked) -> Answer:
    """The runtime notes when a collection first saw it wait."""
    asks = f"goroutine {g.id}: waits for"
    first, last = witness.before.users.get(g.id), witness.after.users.get(g.id)
    started, _, collected = witness.before.times
    least, most = (first.minutes, last.minutes) if first and last else (0, 0)
    if g.waiting_us is UNSET:
        if least:
            return wrong(asks, truth=f"{least} minutes", told="nothing")
        return not_told(asks, "no time noted") if collected else right(asks)
    longest = (asked.ended - started) // 1000
    if not 0 <= g.waiting_us <= longest or (first and not least <= g.waiting_us // _MINUTE <= most):
        truth = f"{least} to {most} minutes, at most {longest} us"
        return wrong(asks, truth=truth, told=f"{g.waiting_us} us")
    return right(asks)


def _same(told: GoroutineState, again: GoroutineState) -> Answer:
    """A snapshot walks each stack by itself; the report walks those that are alike once."""
    a, b = (
        (g.status, g.wait_reason, g.function, g.created_by, g.stack, g.system, g.frames)
        for g in (told, again)
    )
    asks = f"goroutine {told.id}: in a snapshot"
    reported, walked = (() if g.frames is UNSET else g.frames for g in (told, again))
    if told.frames_end and reported and walked[: len(reported)] == reported:
        return not_told(asks, told.frames_end)  # of the deepest stacks a report copies a part
    return equal(asks, a, b)
