"""Terminals that cannot show all: nothing but what they can, and never a traceback."""

from __future__ import annotations

from io import BytesIO, TextIOWrapper

import pytest

from goprobe.cli.encoding import never_fails, speaks_utf8
from tests.support.cli import goprobe

_NAMES = ("LC_ALL", "LC_CTYPE", "LANG", "PYTHONIOENCODING", "PYTHONUTF8")


@pytest.mark.parametrize(
    ("environment", "encoding", "speaks"),
    [
        ({}, "utf-8", True),
        ({"LANG": "C"}, "utf-8", False),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, "utf-8", False),
        ({"LC_ALL": "", "LANG": "de_DE.UTF-8"}, "utf-8", True),
        ({"LANG": "C.utf8"}, "utf-8", True),
        ({"LANG": "de_DE.ISO-8859-1"}, "utf-8", False),
        ({"LANG": "de_DE@euro"}, "iso8859-15", False),
        ({"LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}, "utf-8", True),
        ({"PYTHONIOENCODING": "latin-1"}, "latin-1", False),
    ],
)
def test_what_the_reader_can_show(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], encoding: str, speaks: bool
) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert speaks_utf8(TextIOWrapper(BytesIO(), encoding=encoding)) is speaks
    assert not speaks_utf8(None)


def test_what_cannot_be_shown_is_escaped_and_not_lost() -> None:
    raw = BytesIO()
    stream = TextIOWrapper(raw, encoding="latin-1", write_through=True)
    never_fails(stream)
    stream.write("µ …")
    assert raw.getvalue() == b"\xb5 \\u2026"


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C", "PYTHONUTF8": ""}, {"PYTHONIOENCODING": "latin-1"}]
)
@pytest.mark.parametrize(
    "words",
    [("ps",), ("doctor",), ("help", "glossary"), ("help", "man"), ("goroutines", "--help"),
     ("heap", "lek\u00e4y"), ("completion", "fish")],
    ids=" ".join,
)  # fmt: skip
def test_no_command_fails_or_writes_what_cannot_be_read(
    words: tuple[str, ...], environment: dict[str, str]
) -> None:
    ran = goprobe(*words, env=environment)
    assert ran.out.isascii()
    assert ran.err.isascii()
    assert "bug" not in ran.err
    assert ran.code == (2 if words[0] == "heap" else 0) or words == ("doctor",)
