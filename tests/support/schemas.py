"""Every report that the tests make is held against the schema that is published of it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft7Validator, Draft202012Validator

from goprobe.model.report import Report
from goprobe.report import RenderOptions, render
from goprobe.report.schema import REPORTS, shipped


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(shipped(name))


def hold_document(document: Any) -> None:
    """What was read of JSON, where it is a report of ours; the rest says nothing. Raises
    jsonschema_rs.ValidationError."""
    name = document.get("schema") if isinstance(document, dict) else None
    if name in REPORTS:
        _validator(name).validate(document)


def hold_report(report: Report) -> None:
    """A report as it would be written."""
    hold_document(json.loads(render(report, "json", RenderOptions())))


def hold_written(text: bytes) -> None:
    """What a command wrote to its standard output, where that is a report, or a line for each."""
    if not (text.startswith(b"{") and b'"schema"' in text[:200]):
        return
    for document in text.splitlines() if text.startswith(b'{"') else [text]:
        hold_document(json.loads(document))


def hold_sarif(log: Any, schema: Path) -> None:
    """A log against the published schema of SARIF 2.1.0. Raises jsonschema_rs.ValidationError.

    Of `language` it has a pattern with a bracket that opens nowhere: that stands for itself where
    regular expressions are read leniently, as browsers do, and is none where they are not.
    """
    text = schema.read_text(encoding="utf-8").replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}\\\\]?$")
    Draft7Validator(json.loads(text)).validate(log)
