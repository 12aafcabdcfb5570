"""Where stacks lie: printed addresses of locals, frames, and the ends of each stack."""

from __future__ import annotations

from collections.abc import Iterator

from goprobe.model.location import Kind
from scripts.truths.answer import Answer, equal
from scripts.truths.goroutines.witness import Asked, Witness


def addresses(witness: Witness, asked: Asked) -> Iterator[Answer]:
    yield from _frames(witness, asked)
    yield from _locals(witness, asked)
    yield from _locals_of_c(witness, asked)
    yield from _ends(witness, asked)


def ends(asked_of: Iterator[tuple[int, int, int]]) -> set[int]:
    """Of (low, high, used) stacks: addresses at both ends, and at the border of what is used."""
    return {at for low, high, used in asked_of for at in (low, high - 8, high - used)}


def _ends(witness: Witness, asked: Asked) -> Iterator[Answer]:
    for g in asked.report.goroutines:
        low, high, used = int(g.stack.low), int(g.stack.high), g.stack.used
        for at in (low, high - 8, high - used):
            if at in asked.where and witness.still(g.id):
                told = asked.where[at]
                facts = told.kind, told.detail.get("goroutine"), told.detail.get("live")
                truth = (Kind.GOROUTINE_STACK, g.id, at >= high - used)
                yield equal(f"end of a stack {at:#x}", truth, facts)


def _frames(witness: Witness, asked: Asked) -> Iterator[Answer]:
    """Each lies on its goroutine's stack."""
    for number, printed in witness.all.items():
        if not witness.still(number):
            continue
        for frame in printed.frames[:: max(1, len(printed.frames) // 4)]:
            if frame.sp:
                asks = f"{frame.function} at {frame.sp:#x}: map"
                yield equal(asks, f"stack of goroutine {number}", asked.label_of(frame.sp))


def _locals(witness: Witness, asked: Asked) -> Iterator[Answer]:
    for address, number in witness.before.locals.values():
        last = witness.all.get(number)
        there = last and any(f.sp <= address < f.fp for f in last.frames)
        if not there or not witness.still(number):
            continue  # its stack was moved after it had said so, or it has ended
        told, asks = asked.where[address], f"local at {address:#x}"
        facts = told.kind, told.detail.get("goroutine"), told.detail.get("live")
        yield equal(asks, (Kind.GOROUTINE_STACK, number, True), facts)
        yield equal(f"{asks}: map", f"stack of goroutine {number}", asked.label_of(address))


def _locals_of_c(witness: Witness, asked: Asked) -> Iterator[Answer]:
    """C's locals lie on the stack of the thread that they were told by."""
    for address, thread in witness.before.of_c:
        if thread not in asked.threads:
            continue
        told, asks = asked.where[address], f"local of C at {address:#x}"
        facts = told.kind, told.detail.get("thread")
        yield equal(asks, (Kind.SYSTEM_STACK, thread), facts)
        label = asked.label_of(address)
        if thread != asked.report.pid or not label.endswith("main thread"):
            yield equal(f"{asks}: map", f"of thread {thread}", label[label.find("of thread ") :])
