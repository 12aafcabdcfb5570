"""Reports of `goprobe escape` as SARIF 2.1.0, which code scanning services read."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from goprobe.model.escape import Assertion, EscapeReport, Site, Verdict
from goprobe.report.escaping import escape, escape_json
from goprobe.report.options import RenderOptions
from goprobe.report.verdicts import LOUDNESS, MEANINGS, Loudness, words
from goprobe.version import __version__

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "SRCROOT"
_PROMISE = "promise"
_LEVELS = {Loudness.ALARM: "error", Loudness.WARNING: "warning", Loudness.NOTE: "note"}


class SarifFormat:
    name = "sarif"

    def handles(self, report_type: type) -> bool:
        return report_type is EscapeReport

    def render(self, report: object, options: RenderOptions) -> bytes:
        """One run with a result for each promise and each site that was judged."""
        assert isinstance(report, EscapeReport)
        document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(report)]}
        return escape_json(json.dumps(document, indent=2, ensure_ascii=False).encode()) + b"\n"


def _run(report: EscapeReport) -> dict[str, Any]:
    results = [_promise(assertion) for assertion in report.assertions]
    results += [_result(site) for site in report.sites]
    notices = [_notice("warning", warning) for warning in report.warnings]
    if report.partial:
        notices.append(_notice("error", f"not seen to the end: {report.partial}"))
    return {
        "tool": {"driver": _driver()},
        "invocations": [
            {"executionSuccessful": not report.partial, "toolExecutionNotifications": notices}
        ],
        "columnKind": "utf16CodeUnits",
        "results": results,
    }


def _driver() -> dict[str, Any]:
    rules = [_rule(verdict.value, MEANINGS[verdict]) for verdict in Verdict]
    rules.append(_rule(_PROMISE, "A //goprobe: comment of the source that the run did not keep."))
    return {"name": "goprobe", "semanticVersion": __version__, "rules": rules}


def _rule(name: str, meaning: str) -> dict[str, Any]:
    return {"id": name, "shortDescription": {"text": meaning}}


def _notice(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": escape(text)}}


def _promise(assertion: Assertion) -> dict[str, Any]:
    told = f"goprobe:{assertion.text}: {assertion.why or 'it held'}"
    return {
        "ruleId": _PROMISE,
        "kind": "pass" if assertion.held else "fail",
        "level": "none" if assertion.held else "error",
        "message": {"text": escape(told)},
        "locations": [_location(assertion.file, assertion.line, 0)],
        "partialFingerprints": _fingerprint(_PROMISE, assertion.file, assertion.text, ""),
    }


def _result(site: Site) -> dict[str, Any]:
    level = _LEVELS.get(LOUDNESS[site.verdict], "none")
    told = f"{site.expression}: {words(site.verdict)}: {site.reason}"
    return {
        "ruleId": site.verdict.value,
        "kind": "informational" if level == "none" else "fail",
        "level": level,
        "message": {"text": escape(told)},
        "locations": [_location(site.file, site.line, site.col)],
        "partialFingerprints": _fingerprint(
            site.verdict, site.file, site.function, site.expression
        ),
        "properties": {
            "prediction": site.prediction.value,
            "hits": site.hits,
            "counted": site.counted,
        },
    }


def _fingerprint(*parts: str) -> dict[str, str]:
    """What stays the same when lines above are added: services know a result again by it."""
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return {"goprobe/v1": hashlib.sha256(text).hexdigest()[:32]}


def _location(file: str, line: int, col: int) -> dict[str, Any]:
    region = {"startLine": max(line, 1), **({"startColumn": col} if col > 0 else {})}
    return {"physicalLocation": {"artifactLocation": _artifact(file), "region": region}}


def _artifact(file: str) -> dict[str, str]:
    """A path below the current folder as relative to the source root, any other by its URI."""
    raw = file.encode("utf-8", "surrogateescape")
    if PurePosixPath(file).is_absolute():
        return {"uri": f"file://{quote(raw)}"}
    return {"uri": quote(raw), "uriBaseId": _ROOT}
