"""The page around a report: templates, style, script, and what keeps the target's text text."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape as escape_markup

from goprobe.model.report import Report
from goprobe.report import words
from goprobe.report.escaping import escape
from goprobe.report.glossary import GLOSSARY
from goprobe.report.html.evidence import EvidenceList
from goprobe.report.options import RenderOptions
from goprobe.report.places import Places, places_of
from goprobe.version import __version__

_TEMPLATES = Path(__file__).with_name("templates")
_ROOT_FONT = 16
_TOLD_ELSEWHERE = re.compile(r"\b0x([0-9a-f]{3,16})\b|\bgoroutine (\d{1,18})\b")


def page(
    template: str,
    title: str,
    report: Report,
    options: RenderOptions,
    ledger: EvidenceList | None = None,
    **content: object,
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
            pages=options.pages,
            places=options.places or places_of({"": report}),
            **content,
        )
    )
    return text.encode()


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
    environment.filters["linked"] = linked
    return environment


@pass_context
def linked(context: Context, value: object) -> Markup:
    """A text in which addresses and goroutines lead to where the pages tell of them."""
    places: Places = context["places"]
    text = str(escape_markup(_shown(value)))
    return Markup(_TOLD_ELSEWHERE.sub(lambda m: _way(m, places), text))


def _way(match: re.Match[str], places: Places) -> str:
    address, goroutine = match.groups()
    way = places.of(int(address, 16)) if address else places.goroutine(int(goroutine))
    return f'<a class="addr" href="{way}">{match[0]}</a>' if way else match[0]


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
