"""Any report as JSON: indented, UTF-8, safe to look at in a terminal."""

from __future__ import annotations

from typing import Any

from goprobe.report.escaping import escape_json, visible
from goprobe.report.options import RenderOptions

_INDENT = 2


class JsonFormat:
    name = "json"

    def handles(self, report_type: type) -> bool:
        return hasattr(report_type, "schema")

    def render(self, report: object, options: RenderOptions) -> bytes:
        import msgspec

        document = msgspec.json.format(_encode(report), indent=_INDENT)
        return escape_json(document) + b"\n"


def _encode(report: object) -> bytes:
    import msgspec

    from goprobe.model.codec import to_json

    try:
        return to_json(report)
    except UnicodeEncodeError:
        # A path of the target that is not UTF-8: Python carries its bytes as lone surrogates,
        # which JSON cannot. Rare, so only then is the whole report walked.
        return msgspec.json.encode(_mended(msgspec.to_builtins(report, enc_hook=str)))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(visible(c) if "\ud800" <= c <= "\udfff" else c for c in value)
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mended(item) for item in value]
    return value
