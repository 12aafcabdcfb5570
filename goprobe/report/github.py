"""Reports of `goprobe escape` as workflow commands: GitHub shows them at the lines they name."""

from __future__ import annotations

from goprobe.model.escape import Assertion, EscapeReport, Site
from goprobe.report.escaping import escape
from goprobe.report.options import RenderOptions
from goprobe.report.verdicts import LOUDNESS, Loudness, words

_COMMANDS = {Loudness.ALARM: "error", Loudness.WARNING: "warning"}


class GithubFormat:
    name = "github"

    def handles(self, report_type: type) -> bool:
        return report_type is EscapeReport

    def render(self, report: object, options: RenderOptions) -> bytes:
        """One line for each broken promise, contradiction and surprise; the rest is silent."""
        assert isinstance(report, EscapeReport)
        lines = [_promise(promise) for promise in report.assertions if not promise.held]
        lines += [_site(site) for site in report.sites if LOUDNESS[site.verdict] in _COMMANDS]
        for pointer in report.dangling:
            told = f"{pointer.source} points at {pointer.target} ({pointer.when})"
            lines.append(f"::error title=pointer into a stack::{_data(told)}")
        if report.partial:
            lines.append(f"::warning title=not seen to the end::{_data(report.partial)}")
        return "".join(f"{line}\n" for line in lines).encode()


def _promise(assertion: Assertion) -> str:
    title = f"goprobe:{assertion.text} is broken"
    return _command("error", assertion.file, assertion.line, 0, title, assertion.why)


def _site(site: Site) -> str:
    command = _COMMANDS[LOUDNESS[site.verdict]]
    title = f"{words(site.verdict)}: {site.expression}"
    return _command(command, site.file, site.line, site.col, title, site.reason)


def _command(command: str, file: str, line: int, col: int, title: str, message: str) -> str:
    fields = {"file": file, "line": str(line), "col": str(col) if col else "", "title": title}
    given = ",".join(f"{key}={_property(value)}" for key, value in fields.items() if value)
    return f"::{command} {given}::{_data(message)}"


def _data(text: str) -> str:
    """Text of a command. Line feeds are gone already: `escape` has made them visible."""
    return escape(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
