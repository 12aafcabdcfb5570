"""Reports of `goprobe escape` as SARIF 2.1.0, which code scanning services read.

Failures alone: GitHub shows every result, whatever its kind, as an alert.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from goprobe.model.escape import EscapeReport, SourceLine, Verdict
from goprobe.report.escaping import escape, escape_json
from goprobe.report.findings import (
    DANGLING,
    MORE,
    NEW_HEAP,
    NOT_KNOWN,
    PROMISE,
    TESTS,
    Finding,
    Level,
    findings,
    from_root,
    numbered,
)
from goprobe.report.options import RenderOptions
from goprobe.report.verdicts import MEANINGS, words
from goprobe.version import __version__

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "SRCROOT"
_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning"}
_RULES = {
    PROMISE: (
        "A //goprobe: promise was broken",
        "A comment of the source promises that code does not allocate (or lies on the stack, or on "
        "the heap). It did, or, where the promise reaches into callees, a chain of calls leads to "
        "the allocator. `goprobe explain` and `goprobe escape -v` show which and why.",
    ),
    NOT_KNOWN: (
        "A //goprobe: promise is not known to hold",
        "Its code never ran, is not in the binary, or calls what nobody can follow. Run tests that "
        "come to it, or allow what is meant to be allowed: //goprobe:allow-alloc with a reason.",
    ),
    NEW_HEAP: (
        "A place allocates that did not before",
        "Since the baseline this place of the source has come to allocate on the heap. The message "
        "tells how often, and the compiler's reason.",
    ),
    MORE: (
        "A place allocates more than before",
        "Since the baseline this place makes more objects in the same run, or larger ones.",
    ),
    DANGLING: (
        "A pointer into a stack",
        "The heap or a global holds a pointer into a goroutine's stack: unsafe code, a bug of the "
        "compiler, or of goprobe.",
    ),
    TESTS: ("Tests failed", "What was seen is what happened as far as the tests came."),
}


class SarifFormat:
    name = "sarif"

    def handles(self, report_type: type) -> bool:
        return report_type is EscapeReport

    def render(self, report: object, options: RenderOptions) -> bytes:
        """One run with a result for each thing that is found fault with."""
        assert isinstance(report, EscapeReport)
        document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(report)]}
        return escape_json(json.dumps(document, indent=2, ensure_ascii=False).encode()) + b"\n"


def _run(report: EscapeReport) -> dict[str, Any]:
    notices = [_notice("warning", warning) for warning in report.warnings]
    if report.partial:
        notices.append(_notice("error", f"not seen to the end: {report.partial}"))
    run: dict[str, Any] = {
        "tool": {"driver": _driver()},
        "invocations": [
            {"executionSuccessful": not report.partial, "toolExecutionNotifications": notices}
        ],
        "columnKind": "utf16CodeUnits",
        "results": [_result(report, f, number) for f, number in numbered(findings(report))],
    }
    if report.root:
        base = f"file://{quote(report.root.encode('utf-8', 'surrogateescape'))}/"
        run["originalUriBaseIds"] = {_ROOT: {"uri": base}}
    return run


def _driver() -> dict[str, Any]:
    rules = [_rule(v.value, words(v).capitalize(), MEANINGS[v]) for v in Verdict]
    rules += [_rule(name, short, full) for name, (short, full) in _RULES.items()]
    return {"name": "goprobe", "semanticVersion": __version__, "rules": rules}


def _rule(name: str, short: str, full: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": "".join(part.capitalize() for part in name.replace("_", "-").split("-")),
        "shortDescription": {"text": short},
        "fullDescription": {"text": full},
        "help": {"text": full, "markdown": f"**{short}**\n\n{full}"},
    }


def _notice(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": escape(text)}}


def _result(report: EscapeReport, finding: Finding, number: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "kind": "fail",
        "level": _LEVELS[finding.level],
        "message": {"text": escape(f"{finding.title}: {finding.message}")},
        "partialFingerprints": _fingerprint(finding, number),
    }
    # Services show nothing that has no place: what is of none stands at the root's own files.
    result["locations"] = [
        _location(finding.file or "go.mod", finding.line, finding.col, finding.width)
    ]
    if finding.chain:
        steps = [_step(report, place) for place in finding.chain]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    return result


def _step(report: EscapeReport, place: SourceLine) -> dict[str, Any]:
    location: dict[str, Any] = {"message": {"text": escape(place.function)}}
    if place.file:
        location |= _location(from_root(report, place.file), place.line, 0)
    return {"location": location}


def _fingerprint(finding: Finding, number: int) -> dict[str, str]:
    """What stays the same when lines above are added: services know a result again by it."""
    parts = (finding.rule, finding.file, *finding.identity, str(number))
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return {"goprobe/v2": hashlib.sha256(text).hexdigest()[:32]}


def _location(file: str, line: int, col: int, width: int = 0) -> dict[str, Any]:
    """Without an end column a region goes to the line's end."""
    region = {"startLine": max(line, 1), "endLine": max(line, 1)}
    if col > 0:
        region |= {"startColumn": col, **({"endColumn": col + width} if width else {})}
    return {"physicalLocation": {"artifactLocation": _artifact(file), "region": region}}


def _artifact(file: str) -> dict[str, str]:
    """A path below the repository's root as relative to it, any other by its URI."""
    raw = file.encode("utf-8", "surrogateescape")
    if PurePosixPath(file).is_absolute():
        return {"uri": f"file://{quote(raw)}"}
    return {"uri": quote(raw), "uriBaseId": _ROOT}
