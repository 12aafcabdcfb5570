"""What docs/verdicts.md says: the words that goprobe uses, from what `goprobe help TOPIC` says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from goprobe.cli.manual import TOPICS

FILE = Path(__file__).parents[2] / "docs" / "verdicts.md"

_TITLE = """\
# Verdicts and other words

Made by `scripts/make-reference` from what `goprobe help TOPIC` says; the words are those of Go's
own documentation. On pages they have their meaning as a tooltip.
"""


def document() -> str:
    return "\n".join([_TITLE, *_sections()])


def _sections() -> Iterator[str]:
    for name, (title, entries) in TOPICS.items():
        yield f"## {title}\n\n`goprobe help {name}`\n\n| | |\n|---|---|"
        yield from (f"| {_cell(word)} | {_cell(meaning)} |" for word, meaning in entries())
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
