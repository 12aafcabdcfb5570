"""The page around a report: templates, style, script, and what keeps the target's text text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from goprobe.model.report import Report
from goprobe.report import words
from goprobe.report.escaping import escape
from goprobe.report.glossary import GLOSSARY
from goprobe.report.html.evidence import EvidenceList
from goprobe.version import __version__

_TEMPLATES = Path(__file__).with_name("templates")
_ROOT_FONT = 16
PAGES = b"<!--pages-->"
"""Where the ways to other pages stand; what a target calls its own never reads so: its < is
escaped."""


def page(
    template: str, title: str, report: Report, ledger: EvidenceList | None = None, **content: object
) -> bytes:
    """The whole page, UTF-8. `content` is what the template of that name asks for."""
    style, script = _asset("page.css"), _asset("page.js")
    text = (
        _environment()
        .get_template(template)
        .render(
            title=title,
            version=__version__,
            report=report,
            style=Markup(style),
            script=Markup(script),
            script_hash=_hash(script),
            ledger=ledger or EvidenceList(),
            **content,
        )
    )
    return text.encode()


def navigation(pages: Sequence[tuple[str, str, bool]]) -> bytes:
    """The ways to the pages of a folder, from one of them."""
    return _environment().get_template("pages.html").render(pages=pages).encode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["meaning"] = GLOSSARY.__getitem__
    environment.filters["bytes"] = words.size
    environment.filters["number"] = words.number
    environment.filters["counted"] = words.counted
    environment.filters["rem"] = rem
    return environment


def rem(pixels: float) -> str:
    """A length of a drawing, in units that follow the reader's font size."""
    return f"{pixels / _ROOT_FONT:.4g}rem"


def _shown(value: Any) -> Any:
    """Every expression of every template passes here: escape sequences, right-to-left overrides
    and lone surrogates become visible before autoescape makes `<` harmless."""
    if hasattr(value, "__html__"):
        return value
    if value is None:
        return ""
    return escape(str(value), keep="\n\t")


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """What the page's policy lets run: this script, nothing that a target might smuggle in."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
