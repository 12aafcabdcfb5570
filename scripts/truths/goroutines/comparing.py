"""What goprobe said, against what the program said of itself before and after.

A goroutine that both accounts tell the same of stood still in between, and is compared in all. Of
the others (busy ones, the collector's workers, main itself, which bears witness) only what cannot
have changed is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from msgspec import UNSET

from goprobe.model.attached import CallSite, GoroutinesReport, GoroutineState, Whereabouts
from goprobe.model.location import Kind, Region
from scripts.truths.answer import Answer, not_told, right, wrong
from scripts.truths.goroutines.dump import Frame, Printed

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAF = re.compile(r"main\.(leaf\d+|stand)\b")
# Those of the runtime's own functions that are marked as wrappers (cmd/internal/objabi/funcid.go,
# and WRAPPER in asm_amd64.s), so that its traces leave them out. Others' are seen to be left out.
_ELIDABLE = re.compile(
    r"runtime\.(deferreturn|deferCallSave|runOpenDeferFrame|call\d+|reflectcall|gcenable\.\w+"
    r"|\w+\.gowrap\d+|AddCleanup\[.*func\d+)"
)
_MOVING = ("running", "runnable", "preempted")
# They sleep and wake, whatever the program does.
_RESTLESS = (
    "runtime.bgscavenge", "runtime/pprof.profileWriter", "runtime/trace.Start.func1",
    "runtime.(*traceAdvancerState).start.func1", "runtime.traceStartReadCPU.func1",
)  # fmt: skip
_DURABLE = " (durable)"  # said of some states in a synctest bubble, part of others' names
_MINUTE = 60_000_000


class Account(Protocol):
    """`asking.Account`."""

    @property
    def count(self) -> int: ...
    @property
    def users(self) -> Mapping[int, Printed]: ...
    @property
    def locals(self) -> Mapping[int, tuple[int, int]]: ...
    @property
    def times(self) -> tuple[int, int, int]: ...
    @property
    def of_c(self) -> tuple[tuple[int, int], ...]: ...


@dataclass(frozen=True, slots=True)
class Witness:
    """The program's accounts: before and after goprobe asked, and all that was there at its end."""

    before: Account
    after: Account
    all: Mapping[int, Printed]

    def still(self, number: int) -> bool:
        """Whether a goroutine stood all the time."""
        last, first = self.all.get(number), self.before.users.get(number)
        then = self.after.users.get(number)
        if last is None or last.state in _MOVING:
            return False
        if any(f.function in _RESTLESS for f in last.frames):
            return False
        if first is None or then is None:
            return first is then
        same = first == replace(then, minutes=first.minutes)
        return same and (first.state, first.locked) == (last.state, last.locked)

    def one_of_the_runtime(self, number: int) -> bool | None:
        """None where that has changed meanwhile."""
        before, after = number in self.before.users, number in self.after.users
        return None if before != after else not before


@dataclass(frozen=True, slots=True)
class Asked:
    """goprobe's answers: the report, a snapshot's list, and what addresses are."""

    report: GoroutinesReport
    again: tuple[GoroutineState, ...]
    where: Mapping[int, Whereabouts]
    regions: tuple[Region, ...]
    started: int
    ended: int
    threads: set[int]
    """Those that were there all the time; the main thread's is the process's number."""


def compared(witness: Witness, asked: Asked) -> Iterator[Answer]:
    yield from _which(witness, asked)
    yield from _count(witness, asked)
    again = {g.id: g for g in asked.again}
    for g in asked.report.goroutines:
        if g.id in witness.all:
            yield from _goroutine(witness, g, asked)
        if g.id in again and witness.still(g.id):
            yield _same(g, again[g.id])
    yield from _addresses(witness, asked)
    yield from _addresses_of_c(witness, asked)


def _which(witness: Witness, asked: Asked) -> Iterator[Answer]:
    told = {g.id for g in asked.report.goroutines}
    before, after, last = (set(x) for x in (witness.before.users, witness.after.users, witness.all))
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
    printed = sum(bool(p.created_by) or p.id == 1 for p in before.users.values())
    if printed == before.count == after.count:
        users = [g for g in asked.report.goroutines if not g.system]
        told = sum(not g.created_by.startswith("runtime.") for g in users)
        yield _equal("NumGoroutine", before.count, told)


def _goroutine(witness: Witness, g: GoroutineState, asked: Asked) -> Iterator[Answer]:
    name, last = f"goroutine {g.id}", witness.all[g.id]
    yield _equal(f"{name}: locked", last.locked, g.locked)
    system = witness.one_of_the_runtime(g.id)
    if system is not None:
        yield _equal(f"{name}: of the runtime", system, g.system)
    # What runs while the program dies may be printed in part; functions of the runtime that made
    # others are left out until then.
    made = last if last.created_by else witness.before.users.get(g.id, last)
    if g.id != 1 and (made.created_by or witness.still(g.id)):
        yield _equal(f"{name}: created by", made.created_by, g.created_by)
        yield _equal(f"{name}: parent", made.parent, g.parent)
    yield from _frames(name, witness, g)
    if not witness.still(g.id):
        if g.id == 1:
            yield _equal(f"{name}: state", "syscall", _state(g))
        return
    yield _held(name, last, g)
    yield _equal(f"{name}: state", last.state.removesuffix(_DURABLE), _state(g))
    yield _waits(witness, g, asked)
    user = witness.before.users.get(g.id)
    if user is not None and user.frames:
        yield _equal(f"{name}: stands in", user.frames[0].function, g.function)


def _state(g: GoroutineState) -> str:
    return (g.wait_reason or g.status).removesuffix(_DURABLE)


def _equal(asked: str, truth: object, told: object) -> Answer:
    return right(asked) if truth == told else wrong(asked, truth=str(truth), told=str(told))


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


# -- frames -----------------------------------------------------------------------------------


def _frames(name: str, witness: Witness, g: GoroutineState) -> Iterator[Answer]:
    told = g.frames if g.frames is not UNSET else ()
    asks = f"{name}: frames"
    if g.frames_end is not UNSET:
        yield not_told(asks, re.sub(r"0x[0-9a-f]+", "0x…", g.frames_end))
    elif witness.still(g.id):
        yield from _whole(asks, witness, g, told)
    elif g.id in witness.before.users and g.id in witness.after.users:
        first, last = witness.before.users[g.id], witness.after.users[g.id]
        fixed = _fixed(first, last)
        shown = [_place(f) for f in told if _shown(f.function, first=False)]
        mine = shown[len(shown) - len(fixed) :]
        yield _equal(asks, _listed(f.place for f in fixed), _listed(mine))


def _fixed(first: Printed, last: Printed) -> Sequence[Frame]:
    """The outer frames that a moving goroutine keeps: those above its leaf."""
    before, after = first.frames, last.frames
    leaves = [i for i, f in enumerate(before) if _LEAF.match(f.function)]
    if not leaves or first.elided or last.elided:
        return ()
    outer = before[leaves[-1] + 1 :]
    return outer if after[len(after) - len(outer) :] == outer else ()


def _whole(
    asks: str, witness: Witness, g: GoroutineState, told: Sequence[CallSite]
) -> Iterator[Answer]:
    """A goroutine that stands: every frame, first with the runtime's own, then as it prints by
    default, which tells what the wrappers are."""
    last = witness.all[g.id]
    if last.unknown:
        yield not_told(asks, f"the runtime prints {last.unknown[0]!r}")
        return
    user = witness.before.users.get(g.id)
    yield _all(f"{asks} of all", last, user, told)
    if user is not None:
        shown = [_place(f) for i, f in enumerate(told) if _shown(f.function, first=i == 0)]
        shown = shown or [_place(f) for f in told]
        if user.elided:
            shown = shown[: user.cut] + shown[user.cut + user.elided :]
        truth = [f.place for f in user.frames]
        yield _equal(f"{asks} as printed", _listed(truth), _listed(shown))


def _all(asks: str, last: Printed, user: Printed | None, told: Sequence[CallSite]) -> Answer:
    """Every frame with its pc; wrappers, which a dying program prints as well, may be left out."""
    mine = [(*_place(f), 0 if f.inlined else int(f.pc)) for f in told]
    printed = {f.place for f in user.frames} if user else set()
    at = 0
    for i, frame in enumerate(last.frames):
        if last.elided and i == last.cut:
            return right(asks)  # "as printed" goes on from here
        if at < len(mine) and mine[at] == (*frame.place, frame.pc):
            at += 1
        elif frame.function.startswith("runtime."):
            if not (_ELIDABLE.fullmatch(frame.function) or frame.file == "<autogenerated>"):
                break
        elif not user or frame.place in printed:
            break
    else:
        if at == len(mine):
            return right(asks)
    return wrong(asks, truth=_listed(f.place for f in last.frames), told=_listed(map(_place, told)))


_ALWAYS = ("runtime.runFinalizers", "runtime.runCleanups")


def _shown(function: str, *, first: bool) -> bool:
    """showfuncinfo of src/runtime/traceback.go, but for wrappers."""
    if function == "runtime.gopanic":
        return not first
    if function in _ALWAYS:
        return True
    if not function.startswith("runtime."):
        return "." in function
    return bool(re.fullmatch(r"runtime\.(\(\*[A-Z]\w*\)\.|[A-Z]\w*\.)?[A-Z][^.]*", function))


def _place(frame: CallSite) -> tuple[str, str, int]:
    return frame.function, frame.file, frame.line


def _listed(frames: Iterable[tuple[str, str, int]]) -> str:
    return " < ".join(
        f"{function} {file.rsplit('/', 1)[-1]}:{line}" for function, file, line in frames
    )


def _same(told: GoroutineState, again: GoroutineState) -> Answer:
    """A snapshot walks each stack by itself; the report walks those that are alike once."""
    a, b = (
        (g.status, g.wait_reason, g.function, g.created_by, g.stack, g.system, g.frames)
        for g in (told, again)
    )
    return _equal(f"goroutine {told.id}: in a snapshot", a, b)


# -- addresses --------------------------------------------------------------------------------


def _addresses(witness: Witness, asked: Asked) -> Iterator[Answer]:
    """Frames lie on their goroutine's stack, and so do the locals whose address was printed."""
    for number, printed in witness.all.items():
        label = f"stack of goroutine {number}"
        for frame in printed.frames[:: max(1, len(printed.frames) // 4)]:
            if frame.sp and witness.still(number):
                asks = f"{frame.function} at {frame.sp:#x}: map"
                yield _equal(asks, label, _label(asked, frame.sp))
    for address, number in witness.before.locals.values():
        last = witness.all.get(number)
        there = last and any(f.sp <= address < f.fp for f in last.frames)
        if not there or not witness.still(number):
            continue  # its stack was moved after it had said so, or it has ended
        told, asks = asked.where[address], f"local at {address:#x}"
        facts = told.kind, told.detail.get("goroutine"), told.detail.get("live")
        yield _equal(asks, (Kind.GOROUTINE_STACK, number, True), facts)
        yield _equal(f"{asks}: map", f"stack of goroutine {number}", _label(asked, address))


def _addresses_of_c(witness: Witness, asked: Asked) -> Iterator[Answer]:
    """C's locals lie on the stack of the thread that they were told by."""
    for address, thread in witness.before.of_c:
        if thread not in asked.threads:
            continue
        told, asks = asked.where[address], f"local of C at {address:#x}"
        facts = told.kind, told.detail.get("thread")
        yield _equal(asks, (Kind.SYSTEM_STACK, thread), facts)
        label = _label(asked, address)
        if thread != asked.report.pid or not label.endswith("main thread"):
            yield _equal(f"{asks}: map", f"of thread {thread}", label[label.find("of thread ") :])


def _label(asked: Asked, address: int) -> str:
    return next((r.label for r in asked.regions if r.low <= address < r.high), "no region")
