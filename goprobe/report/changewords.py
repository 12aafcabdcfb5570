"""Words for what changed at a place of the source, in every format."""

from __future__ import annotations

from goprobe.model.escape import Change, ChangeKind
from goprobe.report import words

_K = ChangeKind
SIGNS = {
    _K.NEW: "+",
    _K.TO_HEAP: "+",
    _K.MORE: ">",
    _K.LARGER: ">",
    _K.SMALLER: "<",
    _K.FEWER: "<",
    _K.TO_STACK: "-",
    _K.GONE: "-",
}
_WHOLE = 10
_STEP = "from "  # how the compiler begins a step of its reasoning


def told(change: Change) -> str:
    """The change in words: "new, 44,480,602 allocations (1.3 GiB; 1,000 a benchmark operation),
    because …"."""
    text = {
        _K.NEW: f"new, {_amount(change)}",
        _K.TO_HEAP: f"moved to the heap, {_amount(change)}",
        _K.TO_STACK: f"back on the stack, {_before(change)} before",
        _K.GONE: f"gone, {_before(change)} before",
        _K.MORE: f"{_amount(change)}, {_before(change)} before",
        _K.FEWER: f"{_amount(change)}, {_before(change)} before",
        _K.LARGER: f"larger: {_sizes(change)}",
        _K.SMALLER: f"smaller: {_sizes(change)}",
    }[change.kind]
    if change.by_chance:
        text += "; chance has a part in it, --repeat tells of how much"
    return f"{text}, because {change.why.removeprefix(_STEP)}" if change.why else text


def _amount(change: Change) -> str:
    if change.allocations < 0:
        return "allocates if it runs"
    rate = _rate(change.allocations, change.operations)
    size = words.size(change.bytes)
    much = f"{size}; {rate} a benchmark operation" if rate else size
    return f"{words.counted(change.allocations, 'allocation')} ({much})"


def _before(change: Change) -> str:
    if change.allocations_before < 0:
        return "allocated if it ran"
    rate = _rate(change.allocations_before, change.operations_before)
    count = words.number(change.allocations_before)
    return f"{count} ({rate} an operation)" if rate else count


def _rate(allocations: int, operations: int) -> str:
    """How many of each operation: whole where there are some, as what is made once for all of them
    is among them."""
    if not operations:
        return ""
    rate = allocations / operations
    return f"{rate:,.0f}" if rate >= _WHOLE else f"{rate:.2g}"


def _sizes(change: Change) -> str:
    was = change.bytes_before / max(change.allocations_before, 1)
    now = change.bytes / max(change.allocations, 1)
    return (
        f"{now:,.0f} bytes an object, {was:,.0f} before "
        f"({words.counted(change.allocations, 'allocation')})"
    )
