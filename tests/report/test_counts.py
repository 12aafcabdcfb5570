"""Numbers in sentences, as one says them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from goprobe.analysis.heap.names import _with_article as with_article
from goprobe.report.words import counted

REPORT = Path(__file__).parents[2] / "goprobe" / "report"
_WORDS = (
    "object|goroutine|span|thread|root|region|stop|change|row|cycle|element|place|group|deadlock"
)
_ALWAYS_MANY = re.compile(
    rf"(number\([\w.]+\)|len\([\w.]+\)|\|number \}}|:,)\}} (more )?({_WORDS})s\b"
)


def test_of_one_there_is_one() -> None:
    told = [counted(n, "object") for n in (0, 1, 2, 1024)]
    assert told == ["0 objects", "1 object", "2 objects", "1,024 objects"]
    assert [counted(n, "entry", "entries") for n in (1, 3)] == ["1 entry", "3 entries"]


@pytest.mark.parametrize("size", [8, 80, 88, 896, 8192, 81920, 11, 18, 18432, 11264])
def test_an_eight(size: int) -> None:
    assert with_article(f"{size}-byte heap object") == f"an {size}-byte heap object"


@pytest.mark.parametrize("size", [1, 16, 48, 110, 112, 180, 1152, 1800, 16384, 114688])
def test_a_sixteen(size: int) -> None:
    assert with_article(f"{size}-byte heap object") == f"a {size}-byte heap object"
    assert with_article("goroutine 8-byte") == "a goroutine 8-byte"


_IN_MESSAGES = re.compile(
    r"\{(?:len\([\w.]+\)|(?:self\.)?(?:count|size|more|objects|total))(?::,)?\}"
    r" (?:more )?(?:byte|object|goroutine|element|place|call)s(?= at | of | in |\)|\"|:)"
)
_MANY = ("runtime/heap/", "audit", "explain/", "binary/", "runtime/types/", "heap/called.py",
         "stepping.py", "calltracer/hit.py")  # fmt: skip
"""Where more than one is certain, or nobody reads it but who mends goprobe."""


def test_no_message_writes_many_of_one() -> None:
    files = [f for f in REPORT.parent.rglob("*.py") if not any(m in str(f) for m in _MANY)]
    assert [
        f"{file.name}: {match.group()}"
        for file in files
        for match in _IN_MESSAGES.finditer(file.read_text(encoding="utf-8"))
    ] == []


def test_no_report_writes_many_of_one() -> None:
    files = [*REPORT.rglob("*.py"), *REPORT.rglob("*.html")]
    assert files
    assert not [
        f"{file.name}: {match.group()}"
        for file in files
        for match in _ALWAYS_MANY.finditer(file.read_text(encoding="utf-8"))
    ]
