from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from goprobe.report.escaping import escape, escape_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hello, Go!", "Hello, Go!"),
        ("Grüße, 世界 🙂", "Grüße, 世界 🙂"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\a"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31mred", "\\u009b31mred"),
        ("a\nb\tc\rd\x00", "a\\nb\\tc\\rd\\x00"),
        ("\x7f", "\\x7f"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("line\u2028end", "line\\u2028end"),
        ("no\u00a0break", "no\\u00a0break"),
        (b"\xff\xfe".decode("utf-8", "surrogateescape"), "\\xff\\xfe"),
        ("\ud83d", "\\ud83d"),
        ("\U000e0041", "\\U000e0041"),
        ("a\u3164b\ufe0f", "a\\u3164b\\ufe0f"),
        ("already \\x1b quoted", "already \\x1b quoted"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_kept_characters_pass_and_others_do_not() -> None:
    assert escape("a.go:1:\n\tx \x1b[2J", keep="\n\t") == "a.go:1:\n\tx \\x1b[2J"


def test_a_plain_terminal_gets_nothing_but_ascii() -> None:
    assert escape("é 世 🙂", ascii_only=True) == "\\u00e9 \\u4e16 \\U0001f642"


@given(st.text(alphabet=st.characters(), max_size=40))
def test_nothing_unprintable_is_left(text: str) -> None:
    assert escape(text).isprintable()
    assert escape(text, ascii_only=True).isascii()


@given(st.text(max_size=20))
def test_json_keeps_its_meaning_and_shows_nothing_raw(text: str) -> None:
    safe = escape_json(json.dumps({text: [text]}, ensure_ascii=False, indent=2).encode())
    assert json.loads(safe) == {text: [text]}
    assert safe.decode().replace("\n", "").isprintable()
