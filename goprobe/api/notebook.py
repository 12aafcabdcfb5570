"""How things show themselves in notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(rows: Iterable[Sequence[object]], heads: Sequence[str] = ()) -> str:
    """Cells of code, below `heads` where there are any."""
    head = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in heads)}</tr>" if heads else ""
    body = "".join(
        f"<tr>{''.join(f'<td><code>{escape(str(cell))}</code></td>' for cell in row)}</tr>"
        for row in rows
    )
    return f"<table>{head}{body}</table>"


def line(thing: object) -> str:
    """What its repr says."""
    return f"<code>{escape(repr(thing))}</code>"
