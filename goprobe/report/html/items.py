"""Which items of a stop the drawing shows, and what points at what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.model.trace import StopReport
from goprobe.model.value import Variable
from goprobe.report.html.evidence import EvidenceList
from goprobe.report.html.moves import key_of
from goprobe.report.html.scene import Item
from goprobe.report.selection import Node, tree

_MOST = 14
_MOST_VARIABLES = 6
_LABEL = 40


def items_of(stop: StopReport, names: Sequence[str], ledger: EvidenceList) -> list[Item]:
    """The variables asked for, else main's, else any; each with what it leads to."""
    items: dict[tuple[int, str, str], Item] = {}
    same: dict[str, str] = {}
    for number, variable in enumerate(_chosen(stop, names)):
        for item in _items(tree(variable), variable.name, key_of(stop, variable), number, ledger):
            identity = (item.address, item.label, item.what)
            if len(items) < _MOST:
                items.setdefault(identity, item)
            if identity in items:
                same[item.key] = items[identity].key
    return [replace(t, to=tuple(same[k] for k in t.to if k in same)) for t in items.values()]


def _chosen(stop: StopReport, names: Sequence[str]) -> list[Variable]:
    able = [v for v in stop.variables if v.value is not UNSET and not v.name.startswith((".", "~"))]
    named = [v for v in able if v.name in names]
    mine = [v for v in able if v.function.startswith("main.")]
    pointing = [v for v in mine if v.data is not UNSET]
    rest = [v for v in mine if v.data is UNSET]
    others = [v for v in able if not v.function.startswith("main.")]
    return (named or [*pointing, *others[:2], *rest])[:_MOST_VARIABLES]


def _items(
    node: Node, variable: str, key: str, thread: int, ledger: EvidenceList
) -> Iterator[Item]:
    """The node's item and those it leads to. A part without a place of its own is passed by."""
    below = list(_placed_below(node, key))
    if node.address is not UNSET and node.location is not UNSET:
        label, what = _label(node, variable)
        yield Item(
            key=key,
            label=label,
            what=what,
            address=int(node.address),
            kind=node.location.kind,
            evidence=ledger.id(node.location),
            place=node.location.name,
            to=tuple(k for k, _ in below),
            thread=thread,
        )
    for child_key, child in below:
        yield from _items(child, variable, child_key, thread, ledger)


def _placed_below(node: Node, key: str) -> Iterator[tuple[str, Node]]:
    for number, child in enumerate(node.children):
        child_key = f"{key}/{number}"
        if child.address is not UNSET and child.location is not UNSET:
            yield child_key, child
        else:
            yield from _placed_below(child, child_key)


def _label(node: Node, variable: str) -> tuple[str, str]:
    """What the item is called, and what is said of it beside that."""
    kind, _, size = node.what.rpartition(", ")
    what = node.what
    text = node.name or node.value
    if not text and kind:
        text, what = f"{kind} of {variable}", size
    elif node.name and node.value:
        text = f"{node.name} = {node.value}"
    text = text or "data"
    return (text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"), what
