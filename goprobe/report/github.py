"""Reports of `goprobe escape` as workflow commands: GitHub shows them at the lines they name."""

from __future__ import annotations

from goprobe.model.escape import EscapeReport
from goprobe.report.escaping import escape
from goprobe.report.findings import Finding, Level, findings
from goprobe.report.options import RenderOptions

_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning"}


class GithubFormat:
    name = "github"

    def handles(self, report_type: type) -> bool:
        return report_type is EscapeReport

    def render(self, report: object, options: RenderOptions) -> bytes:
        """One line for each thing that is found fault with, the gravest first: GitHub shows ten of
        a kind; the rest is silent."""
        assert isinstance(report, EscapeReport)
        lines = [_command(finding) for finding in findings(report)]
        if report.partial:
            lines.append(f"::warning title=not seen to the end::{_data(report.partial)}")
        return "".join(f"{line}\n" for line in lines).encode()


def _command(finding: Finding) -> str:
    fields = {
        "file": finding.file,
        "line": str(finding.line) if finding.line else "",
        "col": str(finding.col) if finding.col else "",
        "title": finding.title,
    }
    given = ",".join(f"{key}={_property(value)}" for key, value in fields.items() if value)
    return f"::{_COMMANDS[finding.level]} {given}::{_data(finding.message)}"


def _data(text: str) -> str:
    """Text of a command. Line feeds are gone already: `escape` has made them visible."""
    return escape(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
